// SPDX-License-Identifier: Apache-2.0
#include "half.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace askos::comm {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The number that `bits` stand for in a format with this many bits, from its definition.
double decode(std::uint32_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const double mantissa = std::ldexp(bits & ((1u << mantissa_bits) - 1), -mantissa_bits);
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, 1 - bias) : std::ldexp(1 + mantissa, exponent - bias);
  return (bits >> (exponent_bits + mantissa_bits)) != 0 ? -magnitude : magnitude;
}

template <typename Half>
std::uint16_t encoded(float value) {
  Half half;
  assign(half, value);
  return half.bits;
}

/// Checks all finite numbers of a format, and the roundings between neighbours.
template <typename Half>
void check_format(int exponent_bits, int mantissa_bits) {
  const auto infinity = static_cast<std::uint16_t>(((1 << exponent_bits) - 1) << mantissa_bits);
  for (std::uint32_t bits = 0; bits < infinity; ++bits) {
    const auto lower = static_cast<float>(decode(bits, exponent_bits, mantissa_bits));
    const auto upper = static_cast<float>(decode(bits + 1, exponent_bits, mantissa_bits));
    ASSERT_EQ(to_float(Half{static_cast<std::uint16_t>(bits)}), lower);
    ASSERT_EQ(to_float(Half{static_cast<std::uint16_t>(bits | 0x8000u)}), -lower);
    ASSERT_EQ(encoded<Half>(lower), bits);
    ASSERT_EQ(encoded<Half>(-lower), bits | 0x8000u);
    const auto middle =
        static_cast<float>((static_cast<double>(lower) + static_cast<double>(upper)) / 2);
    if (std::isfinite(upper) && middle > lower && middle < upper) {  // float32 has one more bit
      ASSERT_EQ(encoded<Half>(middle), bits + bits % 2) << lower << " ties to even";
      ASSERT_EQ(encoded<Half>(std::nextafter(middle, 0.0f)), bits);
      ASSERT_EQ(encoded<Half>(std::nextafter(middle, kInfinity)), bits + 1);
    }
  }
  EXPECT_EQ(to_float(Half{infinity}), kInfinity);
  EXPECT_EQ(encoded<Half>(kInfinity), infinity);
  EXPECT_EQ(encoded<Half>(-kInfinity), infinity | 0x8000u);
  EXPECT_EQ(encoded<Half>(std::numeric_limits<float>::max()), infinity);
  EXPECT_TRUE(std::isnan(to_float(Half{static_cast<std::uint16_t>(infinity + 1)})));
  EXPECT_TRUE(std::isnan(to_float(Half{encoded<Half>(std::numeric_limits<float>::quiet_NaN())})));
  EXPECT_TRUE(std::isnan(to_float(Half{encoded<Half>(std::bit_cast<float>(0x7fffffffu))})));
}

TEST(Half, Float16MatchesItsDefinitionAndRoundsToEven) {
  check_format<Float16>(5, 10);
}

TEST(Half, BFloat16MatchesItsDefinitionAndRoundsToEven) {
  check_format<BFloat16>(8, 7);
}

}  // namespace
}  // namespace askos::comm
