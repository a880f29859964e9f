// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>

#include <gtest/gtest.h>

#include <new>

namespace askos {
namespace {

TEST(Error, PrintsFixedTextFirstAndValuesLast) {
  const Error error = Error(Errc::kShapeMismatch, "edge joins two different shapes")
                          .with("from", "read.out")
                          .with("cells", 964)
                          .with("path", "a b");
  EXPECT_STREQ(error.what(),
               "edge joins two different shapes: from=read.out, cells=964, path='a b'");
  EXPECT_EQ(error.values().size(), 3u);
}

TEST(Error, CopiesKeepTextValuesAndPlace) {
  const Error error = Error(Errc::kNotFound, "no such stage").with("stage", "raed");
  const Error copy = error;
  EXPECT_STREQ(copy.what(), error.what());
  EXPECT_EQ(copy.where().line(), error.where().line());
}

TEST(Error, EveryCodeHasADistinctName) {
  for (int a = 0; a <= static_cast<int>(Errc::kCancelled); ++a) {
    for (int b = 0; b < a; ++b) {
      EXPECT_NE(to_string(Errc(a)), to_string(Errc(b)));
    }
  }
}

TEST(Error, ExitCodesSayWhoMustAct) {
  EXPECT_EQ(exit_code(Errc::kInternal), 1);
  EXPECT_EQ(exit_code(Errc::kShapeMismatch), 2);
  EXPECT_EQ(exit_code(Errc::kStalled), 3);
  EXPECT_EQ(exit_code(Errc::kRankLost), 4);
  EXPECT_EQ(exit_code(Errc::kPlanRefused), 5);
  EXPECT_EQ(exit_code(Errc::kEnvironment), 6);
  EXPECT_EQ(exit_code(Errc::kCheckFailed), 7);
}

TEST(Error, ForeignExceptionsBecomeErrors) {
  try {
    throw std::bad_alloc();
  } catch (...) {
    EXPECT_EQ(current_error().code(), Errc::kEnvironment);
  }
  try {
    throw std::runtime_error("boom");
  } catch (...) {
    EXPECT_EQ(current_error().code(), Errc::kInternal);
    EXPECT_EQ(current_error().text(), "boom");
  }
}

TEST(Check, ThrowsAnInternalErrorThatNamesTheCondition) {
  const bool holds = false;
  try {
    ASKOS_CHECK(holds);
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kInternal);
    EXPECT_EQ(error.values().front().second, "holds");
  }
}

}  // namespace
}  // namespace askos
