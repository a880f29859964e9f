// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/base/unit.hpp>

#include <gtest/gtest.h>

#include <sstream>

namespace askos {
namespace {

TEST(Bytes, ParsesEveryPrefix) {
  EXPECT_EQ(parse_bytes("512"), Bytes{512});
  EXPECT_EQ(parse_bytes("512 B"), Bytes{512});
  EXPECT_EQ(parse_bytes("64 KiB"), kibibytes(64));
  EXPECT_EQ(parse_bytes("8MiB"), mebibytes(8));
  EXPECT_EQ(parse_bytes("1.5 GiB"), mebibytes(1536));
}

TEST(Bytes, RefusesEverythingElse) {
  for (const char* text : {"", "MiB", "-1", "12 MB", "nan", "1 MiB x", "1e99 TiB"}) {
    EXPECT_THROW((void)parse_bytes(text), Error) << text;
  }
}

TEST(Bytes, PrintsWithABinaryPrefix) {
  const auto print = [](Bytes bytes) {
    std::ostringstream out;
    out << bytes;
    return out.str();
  };
  EXPECT_EQ(print({512}), "512 B");
  EXPECT_EQ(print(mebibytes(1536)), "1.5 GiB");
}

}  // namespace
}  // namespace askos
