// SPDX-License-Identifier: Apache-2.0
//
// One body, compiled twice: GCC inlines an always_inline function into a caller with a wider target
// and vectorises it there.
#include "row_transform.hpp"

#include <askos/base/error.hpp>

#include <bit>
#include <type_traits>

namespace askos::io {
namespace {

[[gnu::always_inline]] inline std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const bool nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  const std::uint32_t rounded = bits + 0x7FFF + ((bits >> 16) & 1);  // to nearest even
  return static_cast<std::uint16_t>((nan ? bits | 0x00400000 : rounded) >> 16);
}

template <typename T>
[[gnu::always_inline]] inline T convert(float value, const Strip& strip) {
  if constexpr (std::is_same_v<T, double>) {
    return static_cast<double>(value) * strip.exact_scale + strip.exact_offset;
  } else if constexpr (std::is_same_v<T, float>) {
    return value * strip.scale + strip.offset;
  } else {
    return to_bfloat16(value * strip.scale + strip.offset);
  }
}

template <typename T>
[[gnu::always_inline]] inline std::int64_t transform_as(const Strip& strip_given,
                                                        std::byte* bytes,
                                                        std::int64_t stride) {
  const Strip strip = strip_given;  // a copy cannot be changed by the stores below
  const float* __restrict from = strip.from;
  T* __restrict to = reinterpret_cast<T*>(bytes);
  std::int64_t strange = 0;
  // Blocks keep the count in 32 bits, as wide as the values.
  constexpr std::int64_t kBlock = 1 << 20;
  for (std::int64_t begin = 0; begin < strip.count; begin += kBlock) {
    const std::int64_t end = begin + kBlock < strip.count ? begin + kBlock : strip.count;
    std::uint32_t in_block = 0;
    if (stride == 1) {
      for (std::int64_t i = begin; i < end; ++i) {
        const float value = from[i];
        in_block += (std::bit_cast<std::uint32_t>(value) & 0x7F800000) == 0x7F800000 ? 1 : 0;
        to[i] = convert<T>(value, strip);
      }
    } else {
      for (std::int64_t i = begin; i < end; ++i) {
        const float value = from[i];
        in_block += (std::bit_cast<std::uint32_t>(value) & 0x7F800000) == 0x7F800000 ? 1 : 0;
        to[i * stride] = convert<T>(value, strip);
      }
    }
    strange += in_block;
  }
  return strange;
}

[[gnu::always_inline]] inline std::int64_t transform(const Strip& strip,
                                                     DType dtype,
                                                     std::byte* to,
                                                     std::int64_t stride) {
  switch (dtype) {
    case DType::kFloat32: return transform_as<float>(strip, to, stride);
    case DType::kFloat64: return transform_as<double>(strip, to, stride);
    case DType::kBFloat16: return transform_as<std::uint16_t>(strip, to, stride);
    default: return -1;
  }
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] std::int64_t transform_avx2(const Strip& strip,
                                                        DType dtype,
                                                        std::byte* to,
                                                        std::int64_t stride) {
  return transform(strip, dtype, to, stride);
}

bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}
#else
constexpr auto& transform_avx2 = transform_strip_portable;

bool has_avx2() {
  return false;
}
#endif

}  // namespace

std::int64_t transform_strip_portable(const Strip& strip,
                                      DType dtype,
                                      std::byte* to,
                                      std::int64_t stride) {
  return transform(strip, dtype, to, stride);
}

std::int64_t transform_strip(const Strip& strip, DType dtype, std::byte* to, std::int64_t stride) {
  static const bool wide = has_avx2();
  ASKOS_CHECK(can_transform(dtype));
  return wide ? transform_avx2(strip, dtype, to, stride)
              : transform_strip_portable(strip, dtype, to, stride);
}

bool can_transform(DType dtype) noexcept {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kBFloat16;
}

}  // namespace askos::io
