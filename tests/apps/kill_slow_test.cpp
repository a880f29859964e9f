// SPDX-License-Identifier: Apache-2.0
// As kill_test, a hundred times.
#include "apps/support/kill_drill.hpp"

namespace askos::apps {
namespace {

TEST(KilledTraining, GoesOnToTheSameBitsAHundredTimes) {
  const TinyRun tiny;
  ASSERT_EQ(tiny.run({"train", tiny.write_config("whole")}).exit_code, 0);
  for (unsigned seed = 1; seed <= 10; ++seed) {
    const auto name = "killed" + std::to_string(seed);
    kill_and_finish(tiny, name, 10, seed);
    EXPECT_EQ(tiny.steps(name), tiny.steps("whole")) << "seed " << seed;
  }
}

}  // namespace
}  // namespace askos::apps
