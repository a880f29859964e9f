// SPDX-License-Identifier: Apache-2.0
#include <askos/base/nearest_name.hpp>

#include <gtest/gtest.h>

namespace askos {
namespace {

TEST(NearestName, CountsSwapsAsOneEditAndKnowsWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("cuont", {"burst", "count", "bytes"}), "count");
  EXPECT_EQ(nearest_name("bytes", {"burst", "count", "bytes"}), "bytes");
  EXPECT_EQ(nearest_name("x", {"in", "out"}), "");
  EXPECT_EQ(nearest_name("temperature", {"in", "out"}), "");
  Error error(Errc::kNotFound, "text");
  suggest(error, "temperature", {"in", "out"});
  EXPECT_STREQ(error.what(), "text: known='in, out'");
}

}  // namespace
}  // namespace askos
