// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/base/shape.hpp>

#include <gtest/gtest.h>

#include <sstream>

namespace askos {
namespace {

TEST(Shape, AcceptsEqualNamesAndOpenLengths) {
  const Shape wanted{{"batch", Axis::kAny}, {"grid", 964}, {"var", 6}};
  EXPECT_TRUE(wanted.accepts({{"batch", 4}, {"grid", 964}, {"var", 6}}));
  EXPECT_TRUE(wanted.accepts({{"batch", 4}, {"grid", Axis::kAny}, {"var", 6}}));
  EXPECT_FALSE(wanted.accepts({{"batch", 4}, {"grid", 965}, {"var", 6}}));
  EXPECT_FALSE(wanted.accepts({{"grid", 964}, {"var", 6}}));
  EXPECT_FALSE(wanted.accepts({{"batch", 4}, {"var", 6}, {"grid", 964}}));
}

TEST(Shape, PrintsAxesInOrder) {
  std::ostringstream out;
  out << Shape{{"batch", Axis::kAny}, {"grid", 40320}};
  EXPECT_EQ(out.str(), "[batch=*, grid=40320]");
}

TEST(Shape, CountsElementsOnlyWhenAllLengthsAreFixed) {
  EXPECT_EQ((Shape{{"grid", 3}, {"var", 4}}.num_elements()), 12);
  EXPECT_EQ((Shape{{"grid", Axis::kAny}}.num_elements()), std::nullopt);
  EXPECT_EQ(Shape{}.num_elements(), 1);
}

TEST(DType, NamesRoundTrip) {
  for (const auto dtype : {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16,
                           DType::kInt32, DType::kInt64, DType::kUInt8}) {
    EXPECT_EQ(parse_dtype(to_string(dtype)), dtype);
  }
  EXPECT_THROW((void)parse_dtype("float31"), Error);
}

}  // namespace
}  // namespace askos
