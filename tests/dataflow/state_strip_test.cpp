// SPDX-License-Identifier: Apache-2.0
#include "state_strip.hpp"

#include <gtest/gtest.h>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using telemetry::State;

/// How long a stage has been in which state.
struct Times {
  Nanoseconds busy{};
  Nanoseconds starved{};
};

SessionStatus reading(Nanoseconds age, const std::vector<Times>& stages) {
  SessionStatus status{.graph = "x", .state = "running", .age = age, .stages = {}, .edges = {}};
  for (const auto& [busy, starved] : stages) {
    StageStatus stage{.stage = "s", .rank = Rank{0}};
    stage.ledger.times[static_cast<std::size_t>(State::kBusyCpu)] = busy.count();
    stage.ledger.times[static_cast<std::size_t>(State::kWaitInput)] = starved.count();
    status.stages.push_back(stage);
  }
  return status;
}

TEST(StateStrips, ShowTheStateThatMostOfAColumnWasSpentIn) {
  const std::deque<SessionStatus> history{reading(0s, {{0s, 0s}}), reading(1s, {{1s, 0s}}),
                                          reading(2s, {{1300ms, 700ms}})};
  const auto strips = state_strips(history, reading(3s, {{2s, 1s}}), 3s, 3);
  EXPECT_EQ(strips, std::vector<std::string>{"CiC"});
}

TEST(StateStrips, AreBlankBeforeTheSessionBegan) {
  const auto strips =
      state_strips({reading(1s, {{1s, 0s}})}, reading(2s, {{1s, 1s}}), /*time=*/4s, 4);
  EXPECT_EQ(strips, std::vector<std::string>{"  Ci"});
}

TEST(StateStrips, RepeatALetterWhereReadingsAreRarerThanColumns) {
  const auto strips = state_strips({reading(0s, {{0s, 0s}})}, reading(4s, {{4s, 0s}}), 4s, 4);
  EXPECT_EQ(strips, std::vector<std::string>{"CCCC"});
}

TEST(StateStrips, LeaveOutStagesThatAnEarlierReadingDoesNotKnow) {
  const auto strips = state_strips({reading(0s, {{0s, 0s}}), reading(1s, {{1s, 0s}})},
                                   reading(2s, {{2s, 0s}, {0s, 1s}}), 2s, 2);
  EXPECT_EQ(strips, (std::vector<std::string>{"CC", " i"}));
}

}  // namespace
}  // namespace askos::dataflow
