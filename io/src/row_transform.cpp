// SPDX-License-Identifier: Apache-2.0
//
// One body, compiled twice: GCC inlines an always_inline function into a caller with a wider target
// and vectorises it there.
#include "row_transform.hpp"

#include <askos/base/error.hpp>

#include <bit>
#include <numeric>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

std::int64_t transform_one_by_one(const std::array<Strip, 8>& strips,
                                  float* to,
                                  std::int64_t stride) {
  std::int64_t strange = 0;
  for (std::size_t k = 0; k < strips.size(); ++k) {
    strange +=
        transform_strip(strips[k], DType::kFloat32, reinterpret_cast<std::byte*>(to + k), stride);
  }
  return strange;
}

#if defined(__x86_64__)
using EightRows = __m256[8];  // an array template would drop the type's alignment

/// Transposes the eight by eight values of `rows`: pairs, fours, then halves change places.
[[gnu::target("avx2")]] void transpose(EightRows& rows) {
  EightRows pairs;
  for (std::size_t i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  EightRows fours;
  for (std::size_t i = 0; i < 8; i += 4) {
    for (std::size_t j = 0; j < 2; ++j) {
      fours[i + 2 * j] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
      fours[i + 2 * j + 1] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xEE);
    }
  }
  for (std::size_t i = 0; i < 4; ++i) {
    rows[i] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20);
    rows[i + 4] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31);
  }
}

[[gnu::target("avx2,fma")]] std::int64_t transform_eight_avx2(const std::array<Strip, 8>& strips,
                                                              float* to,
                                                              std::int64_t stride) {
  const __m256i exponent = _mm256_set1_epi32(0x7F800000);
  const std::int64_t count = strips[0].count / 8 * 8;
  __m256i minus_strange = _mm256_setzero_si256();
  for (std::int64_t i = 0; i < count; i += 8) {
    EightRows rows;
    for (std::size_t k = 0; k < 8; ++k) {
      const __m256 value = _mm256_loadu_ps(strips[k].from + i);
      const __m256i bits = _mm256_and_si256(_mm256_castps_si256(value), exponent);
      minus_strange = _mm256_add_epi32(minus_strange, _mm256_cmpeq_epi32(bits, exponent));
      rows[k] =
          _mm256_fmadd_ps(value, _mm256_set1_ps(strips[k].scale), _mm256_set1_ps(strips[k].offset));
    }
    transpose(rows);
    for (std::int64_t r = 0; r < 8; ++r) {
      _mm256_storeu_ps(to + (i + r) * stride, rows[r]);
    }
  }
  std::array<std::int32_t, 8> lanes{};
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes.data()), minus_strange);
  std::array<Strip, 8> rest = strips;
  for (Strip& strip : rest) {
    strip.from += count;
    strip.count -= count;
  }
  return transform_one_by_one(rest, to + count * stride, stride) -
         std::accumulate(lanes.begin(), lanes.end(), std::int64_t{0});
}

[[gnu::target("avx2,fma")]] std::int64_t transform_avx2(const Strip& strip,
                                                        DType dtype,
                                                        std::byte* to,
                                                        std::int64_t stride) {
  return transform(strip, dtype, to, stride);
}

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  return has;
}
#else
constexpr auto& transform_avx2 = transform_strip_portable;
constexpr auto& transform_eight_avx2 = transform_one_by_one;

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
  ASKOS_CHECK(can_transform(dtype));
  return has_avx2() ? transform_avx2(strip, dtype, to, stride)
                    : transform_strip_portable(strip, dtype, to, stride);
}

std::int64_t transform_eight_strips(const std::array<Strip, 8>& strips,
                                    float* to,
                                    std::int64_t stride) {
  return has_avx2() ? transform_eight_avx2(strips, to, stride)
                    : transform_one_by_one(strips, to, stride);
}

bool can_transform(DType dtype) noexcept {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kBFloat16;
}

}  // namespace askos::io
