// SPDX-License-Identifier: Apache-2.0
#include "crc32c_paths.hpp"

#include <askos/io/crc32c.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

namespace askos::io {
namespace {

std::vector<std::byte> random_bytes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> bytes(count);
  std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

TEST(Crc32c, MatchesTheVectorsOfRfc3720) {
  // RFC 3720, appendix B.4.
  std::array<std::byte, 32> bytes{};
  EXPECT_EQ(crc32c(bytes), 0x8A9136AAU);
  bytes.fill(std::byte{0xFF});
  EXPECT_EQ(crc32c(bytes), 0x62A8AB43U);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(i);
  }
  EXPECT_EQ(crc32c(bytes), 0x46DD794EU);
  std::ranges::reverse(bytes);
  EXPECT_EQ(crc32c(bytes), 0x113FDB5CU);
  EXPECT_EQ(crc32c(std::as_bytes(std::span(std::string_view("123456789")))), 0xE3069283U);
  EXPECT_EQ(crc32c({}), 0U);
}

TEST(Crc32c, TheInstructionAgreesAtAllLengthsAndAlignments) {
  if (!has_sse42()) {
    GTEST_SKIP() << "this processor has no CRC instruction";
  }
  const auto bytes = random_bytes(3 * 6144 + 64, 1);
  for (std::size_t offset = 0; offset < 9; ++offset) {
    for (const std::size_t length :
         {0UL, 1UL, 7UL, 8UL, 9UL, 63UL, 6143UL, 6144UL, 6145UL, 12288UL, 18432UL, 18480UL}) {
      const auto part = std::span(bytes).subspan(offset, length);
      EXPECT_EQ(crc32c_portable(0x12345678, part), crc32c_sse42(0x12345678, part))
          << offset << " " << length;
    }
  }
}

TEST(Crc32c, WholeVectorsAgreeAtAllLengthsAndAlignments) {
  if (!has_vpclmulqdq()) {
    GTEST_SKIP() << "this processor multiplies no whole vectors without carry";
  }
  const auto bytes = random_bytes(4096 + 64, 4);
  for (std::size_t offset = 0; offset < 9; ++offset) {
    for (const std::size_t length :
         {0UL, 255UL, 256UL, 511UL, 512UL, 513UL, 767UL, 768UL, 1024UL, 4000UL, 4096UL}) {
      const auto part = std::span(bytes).subspan(offset, length);
      EXPECT_EQ(crc32c_portable(0x12345678, part), crc32c_vpclmulqdq(0x12345678, part))
          << offset << " " << length;
    }
  }
}

TEST(Crc32c, GoesOnWhereItEnded) {
  const auto bytes = random_bytes(10'000, 2);
  const std::span<const std::byte> all(bytes);
  for (const std::size_t cut : {0UL, 1UL, 4'999UL, 10'000UL}) {
    EXPECT_EQ(crc32c(all.subspan(cut), crc32c(all.first(cut))), crc32c(all));
  }
}

TEST(Crc32c, JoinsWithoutTheBytes) {
  const auto bytes = random_bytes(10'000, 3);
  const std::span<const std::byte> all(bytes);
  for (const std::size_t cut : {0UL, 1UL, 3UL, 4'999UL, 9'999UL, 10'000UL}) {
    const Crc32cJoin join(static_cast<std::int64_t>(bytes.size() - cut));
    EXPECT_EQ(join(crc32c(all.first(cut)), crc32c(all.subspan(cut))), crc32c(all)) << cut;
  }
}

TEST(Crc32c, TellsZerosFromZeros) {
  // A checksum that is zero for zeros lets lost writes pass.
  const std::vector<std::byte> zeros(4096);
  EXPECT_NE(crc32c(zeros), 0U);
  EXPECT_NE(crc32c(zeros), crc32c(std::span(zeros).first(4095)));
}

}  // namespace
}  // namespace askos::io
