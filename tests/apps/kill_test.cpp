// SPDX-License-Identifier: Apache-2.0
// `kill -9` at random moments, a time limit, other beginnings: what a restart makes of them.
#include "apps/support/kill_drill.hpp"

#include <gmock/gmock.h>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(KilledTraining, GoesOnToTheSameBitsHoweverOften) {
  const TinyRun tiny;
  ASSERT_EQ(tiny.run({"train", tiny.write_config("whole")}).exit_code, 0);
  const auto whole = tiny.steps("whole");
  ASSERT_EQ(whole.size(), 12u);
  kill_and_finish(tiny, "killed", 10, /*seed=*/7);
  EXPECT_EQ(tiny.steps("killed"), whole);
}

TEST(KilledTraining, GoesOnElsewhereWithTheSameSamples) {
  const TinyRun tiny;
  ASSERT_EQ(tiny.run({"train", tiny.write_config("whole")}).exit_code, 0);
  const auto whole = tiny.steps("whole");
  const auto config = tiny.write_config("moved");
  const auto kill = [&](const std::string& packet) {
    return "faults=[{ kind = \"kill\", stage = \"compute\", packet = " + packet + " }]";
  };
  EXPECT_EQ(tiny.run({"train", config, "--set", kill("6")}).exit_code, 137);
  EXPECT_EQ(tiny.run({"train", config, "--ranks", "3", "--set", kill("5")}).exit_code, 137);
  EXPECT_EQ(tiny.run({"train", config, "--ranks", "1"}).exit_code, 0);
  const auto moved = tiny.steps("moved");
  ASSERT_EQ(moved.size(), whole.size());
  for (const auto& [step, expected] : whole) {
    EXPECT_EQ(moved.at(step).samples, expected.samples) << step;
    EXPECT_NEAR(moved.at(step).loss, expected.loss, 1e-9 * expected.loss) << step;
  }
}

#ifdef ASKOS_LAUNCHES
TEST(KilledTraining, GoesOnAfterOneOfItsProcessesIsLost) {
  const TinyRun tiny;
  ASSERT_EQ(tiny.run({"train", tiny.write_config("whole")}).exit_code, 0);
  const auto config = tiny.write_config("killed");
  const auto launch = [&](const std::string& faults) {
    return tiny.run(
        {"launch", "-n", "2", "--", ASKOS_PROGRAM, "train", config, "--set", "faults=" + faults});
  };
  for (const auto* where :
       {"stage = 'compute', packet = 5", "stage = 'checkpoint', operation = 'write', packet = 3"}) {
    const auto lost = launch("[{ kind = 'kill', rank = 1, " + std::string(where) + " }]");
    EXPECT_EQ(lost.exit_code, 4) << lost.err;
    EXPECT_THAT(lost.err, HasSubstr("a rank was lost: lost=1"));
  }
  EXPECT_EQ(launch("[]").exit_code, 0);
  EXPECT_EQ(tiny.steps("killed"), tiny.steps("whole"));
}
#endif

TEST(TimeLimitedTraining, LeavesACheckpointAndGoesOn) {
  const TinyRun tiny;
  const auto config = tiny.write_config("run");
  const auto limited =
      tiny.run({"train", config, "--set", "training.steps=1000000", "--time-limit", "2 s"});
  EXPECT_EQ(limited.exit_code, 0) << limited.err;
  EXPECT_THAT(limited.out, HasSubstr("before the time limit"));
  const auto verified = tiny.run({"checkpoint", "verify", (tiny.folder() / "run").string()});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_EQ(tiny.run({"train", config, "--time-limit", "never"}).exit_code, 2);
}

TEST(ResumedTraining, BeginsWhereItIsTold) {
  const TinyRun tiny;
  ASSERT_EQ(tiny.run({"train", tiny.write_config("first")}).exit_code, 0);
  const auto half = tiny.folder() / "first" / "checkpoints" / "step-000000000010";
  const auto second = tiny.write_config("second");
  const auto begun = tiny.run({"train", second, "--resume", half.string()});
  EXPECT_EQ(begun.exit_code, 0) << begun.err;
  EXPECT_EQ(tiny.steps("second").begin()->first, 10);
  EXPECT_EQ(tiny.steps("second").at(11), tiny.steps("first").at(11));

  const auto refused = tiny.run({"train", second, "--resume", half.string()});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("run has checkpoints of its own"));
  const auto nothing = tiny.run({"train", tiny.write_config("third"), "--resume", "no/such/run"});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("not a checkpoint"));
  EXPECT_EQ(tiny.run({"train", second, "--resume", "never"}).exit_code, 0);
  EXPECT_EQ(tiny.steps("second").size(), 12u);
}

}  // namespace
}  // namespace askos::apps
