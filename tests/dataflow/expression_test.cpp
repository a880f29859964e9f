// SPDX-License-Identifier: Apache-2.0
#include "expression.hpp"

#include <askos/base/error.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace askos::dataflow {
namespace {

const std::vector<float> kNumbers{1, 2, std::nanf(""), -4, INFINITY};

bool holds(const std::string& text, bool with_payload = true) {
  PayloadDescription payload;
  if (with_payload) payload.push_back(host_tensor("x", {5}, DType::kFloat32, kNumbers.data()));
  const PacketMeta meta{.sample = SampleId{12},
                        .trace = TraceId{7},
                        .cells = {10, 30},
                        .weight = 0.5,
                        .host_bytes = Bytes{4096}};
  return Expression(text).holds({meta, 2.5, payload});
}

std::string error_of(const std::string& text) {
  try {
    (void)holds(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Expression, KnowsThePacketAndItsTensors) {
  for (const char* text : {"sample == 12",
                           "trace!=8",
                           "weight < 1",
                           "cells.end - cells.begin == 20",
                           "host_bytes >= 4096 && device_bytes == 0",
                           "age > 2s",
                           "age<2600ms",
                           "nan(x) > 0",
                           "nan(x)",
                           "inf(*) == 1",
                           "min(x) == -4",
                           "max(x) == 2",
                           "count(x) == 5",
                           "sample % 5 == 2",
                           "!(sample == 3) && (trace == 1 || trace == 7)",
                           "1 + 2 * 3 == 7",
                           "(1 + 2) * 3 == 9",
                           "-sample < 0",
                           "mean(x) < 0 && deviation(x) > 2.6",
                           "10us < 0.00002"}) {
    EXPECT_TRUE(holds(text)) << text;
  }
  for (const char* text : {"sample == 13", "age > 3s", "nan(x) > 1", "0", "min(x) > 0", "!1"}) {
    EXPECT_FALSE(holds(text)) << text;
  }
  EXPECT_FALSE(holds("nan(*) > 0", false));
}

TEST(Expression, SaysWhereItDoesNotParse) {
  EXPECT_EQ(error_of("age > "),
            "expression does not parse: position=7, expected='a number, a name "
            "or (', found='the end'");
  EXPECT_EQ(error_of("age 2"),
            "expression does not parse: position=5, expected='an operator or the end', found=2");
  EXPECT_EQ(error_of("(age > 2"),
            "expression does not parse: position=9, expected=), found='the end'");
  EXPECT_EQ(error_of("aeg > 2"),
            "expression uses an unknown name: position=1, name=aeg, nearest=age");
  EXPECT_EQ(error_of("nann(x)"),
            "expression uses an unknown name: position=1, name=nann, nearest=nan");
  EXPECT_EQ(error_of("nan()"),
            "expression does not parse: position=5, expected='the name of a "
            "tensor, or *', found=)");
  EXPECT_EQ(error_of("nan(y) > 0"), "payload has no such tensor: tensor=y, known=x");
  EXPECT_EQ(error_of(""),
            "expression does not parse: position=1, expected='a number, a name or "
            "(', found='the end'");
}

TEST(Expression, RefusesWhatIsNestedWithoutEnd) {
  EXPECT_NE(error_of(std::string(60'000, '(')), "no error");
  EXPECT_NE(error_of(std::string(60'000, '!')), "no error");
  std::string sum = "1";
  for (int i = 0; i < 10'000; ++i) sum += "+1";
  EXPECT_NE(error_of(sum), "no error");
}

TEST(HostTensor, ReadsEveryKindOfNumber) {
  const std::uint16_t half[]{0x3c00, 0xc000, 0x0001, 0x7c00};  // 1, -2, 2^-24, infinity
  const std::uint16_t brain[]{0x3f80, 0xc000};
  const std::int64_t whole[]{-7, 1 << 20};
  const std::uint8_t bytes[]{200};
  const auto number = [](DType dtype, const void* data, std::int64_t at) {
    double value = 0;
    host_tensor("t", {4}, dtype, data).read(at, 1, {&value, 1});
    return value;
  };
  EXPECT_EQ(number(DType::kFloat16, half, 0), 1);
  EXPECT_EQ(number(DType::kFloat16, half, 1), -2);
  EXPECT_EQ(number(DType::kFloat16, half, 2), std::ldexp(1, -24));
  EXPECT_EQ(number(DType::kFloat16, half, 3), std::numeric_limits<double>::infinity());
  EXPECT_EQ(number(DType::kBFloat16, brain, 0), 1);
  EXPECT_EQ(number(DType::kBFloat16, brain, 1), -2);
  EXPECT_EQ(number(DType::kInt64, whole, 0), -7);
  EXPECT_EQ(number(DType::kUInt8, bytes, 0), 200);
}

}  // namespace
}  // namespace askos::dataflow
