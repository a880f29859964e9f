// SPDX-License-Identifier: Apache-2.0
#include "time_limit.hpp"

#include "dataflow/support/step_clock.hpp"

#include <askos/base/error.hpp>

#include <gtest/gtest.h>

namespace askos::apps {
namespace {

using std::chrono::seconds;

TEST(TimeLimit, LeavesTimeForTheLongestStepsAndCheckpointsSeen) {
  dataflow::test::StepClock clock;
  TimeLimit limit(seconds(1000), clock);  // margin: 10 s
  clock.pass(seconds(400));               // to build the model: no step
  limit.note_step();
  clock.pass(seconds(30));
  limit.note_step();
  clock.pass(seconds(5));
  limit.note_step();
  limit.note_checkpoint(seconds(50));
  limit.note_checkpoint(seconds(20));
  clock.pass(seconds(1000 - 435 - 2 * 30 - 2 * 50 - 10 - 1));
  EXPECT_FALSE(limit.is_near());
  clock.pass(seconds(1));
  EXPECT_TRUE(limit.is_near());
}

TEST(TimeLimit, KeepsATenthOfAShortOne) {
  dataflow::test::StepClock clock;
  const TimeLimit limit(seconds(10), clock);
  clock.pass(seconds(8));
  EXPECT_FALSE(limit.is_near());
  clock.pass(seconds(1));
  EXPECT_TRUE(limit.is_near());
  EXPECT_THROW(TimeLimit(seconds(0), clock), Error);
}

}  // namespace
}  // namespace askos::apps
