// SPDX-License-Identifier: Apache-2.0
// Runs a test on both engines.
#pragma once

#include <askos/dataflow/session.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <utility>

namespace askos::dataflow::test {

/// Longer than any test should take; only a hang meets it.
inline constexpr Nanoseconds kLong = std::chrono::seconds(60);

class EngineTest : public ::testing::TestWithParam<EngineKind> {
 protected:
  [[nodiscard]] EngineOptions engine() const { return {.kind = GetParam()}; }
  [[nodiscard]] std::unique_ptr<Session> begin(Graph graph) const {
    return start(Plan(std::move(graph)), engine());
  }
  /// Runs to the end; a hang is a failure without outcome.
  [[nodiscard]] Outcome run(Graph graph) const {
    const auto session = begin(std::move(graph));
    auto outcome = session->wait(kLong);
    EXPECT_TRUE(outcome.has_value()) << "the graph did not end";
    return outcome.value_or(Outcome{});
  }
};

inline std::string engine_name(const ::testing::TestParamInfo<EngineKind>& tested) {
  return tested.param == EngineKind::kActor ? "Actor" : "Serial";
}

}  // namespace askos::dataflow::test

#define ASKOS_TEST_ON_BOTH_ENGINES(Suite)                                           \
  INSTANTIATE_TEST_SUITE_P(Engines, Suite,                                          \
                           ::testing::Values(askos::dataflow::EngineKind::kActor,   \
                                             askos::dataflow::EngineKind::kSerial), \
                           askos::dataflow::test::engine_name)
