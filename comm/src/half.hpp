// SPDX-License-Identifier: Apache-2.0
// Conversions of the two 16-bit number formats by integer arithmetic, without branches that would
// keep the compiler from vectorising a loop over them. Rounding is to nearest, ties to even.
#pragma once

#include <bit>
#include <cstdint>

namespace askos::comm {

/// Holds the bits of an IEEE 754 binary16 number.
struct Float16 {
  std::uint16_t bits = 0;
};
/// Holds the upper half of the bits of a binary32 number.
struct BFloat16 {
  std::uint16_t bits = 0;
};

[[nodiscard]] inline float to_float(BFloat16 number) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(number.bits) << 16);
}

[[nodiscard]] inline float to_float(Float16 number) noexcept {
  const std::uint32_t magnitude = (number.bits & 0x7fffu) << 13;
  const std::uint32_t sign = (number.bits & 0x8000u) << 16;
  // The exponent's bias is 127 instead of 15; the product also normalises subnormals.
  const auto finite = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  const bool is_finite = magnitude < 0x0f800000u;
  return std::bit_cast<float>(sign | (is_finite ? finite : magnitude | 0x7f800000u));
}

inline void assign(BFloat16& number, float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
  const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  number.bits = static_cast<std::uint16_t>(is_nan ? 0x7fc0u : rounded);
}

inline void assign(Float16& number, float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  // Below 2^-14 the result is a multiple of 2^-24, which is what adding 0.5 rounds to.
  const std::uint32_t subnormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const std::uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  std::uint32_t result = magnitude < 0x38800000u ? subnormal : normal;
  result = magnitude >= 0x477ff000u ? 0x7c00u : result;  // 65520 and more round to infinity
  result = magnitude > 0x7f800000u ? 0x7e00u : result;   // not a number
  number.bits = static_cast<std::uint16_t>(((bits >> 16) & 0x8000u) | result);
}

}  // namespace askos::comm
