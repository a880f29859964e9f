// SPDX-License-Identifier: Apache-2.0
#include "attention_kernels.hpp"

#include "attention_levels.hpp"

#include <askos/base/error.hpp>

#include <cstdlib>
#include <string_view>
#include <type_traits>

namespace askos::model {
namespace {

VectorLevel best_level() {
#if defined(ASKOS_X86_VECTORS)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return VectorLevel::kAvx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return VectorLevel::kAvx2;
#endif
  return VectorLevel::kPortable;
}

VectorLevel chosen_level() {
  constexpr std::string_view kNames[] = {"portable", "avx2", "avx512"};
  const VectorLevel best = best_level();
  const char* const asked = std::getenv("ASKOS_VECTORS");
  if (asked == nullptr || *asked == '\0') return best;
  for (std::uint8_t level = 0; level <= static_cast<std::uint8_t>(best); ++level) {
    if (kNames[level] == asked) return static_cast<VectorLevel>(level);
  }
  throw Error(Errc::kInvalidInput, "no such vector instructions")
      .with("ASKOS_VECTORS", asked)
      .with("best of this processor", kNames[static_cast<std::uint8_t>(best)]);
}

}  // namespace

VectorLevel vector_level() {
  static const VectorLevel level = chosen_level();
  return level;
}

template <typename T>
const AttentionKernels<T>& attention_kernels([[maybe_unused]] VectorLevel level) {
#if defined(ASKOS_X86_VECTORS)
  if constexpr (!std::is_same_v<T, double>) {
    if (level == VectorLevel::kAvx512) return avx512_attention(T{});
    if (level == VectorLevel::kAvx2) return avx2_attention(T{});
  }
#endif
  return portable_attention(T{});
}

template const AttentionKernels<float>& attention_kernels(VectorLevel);
template const AttentionKernels<double>& attention_kernels(VectorLevel);
template const AttentionKernels<Bfloat16>& attention_kernels(VectorLevel);

}  // namespace askos::model
