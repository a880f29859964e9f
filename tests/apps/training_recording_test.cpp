// SPDX-License-Identifier: Apache-2.0
// A NaN in one of three ranks, by the commands alone: a training begins held, a breakpoint finds
// the NaN before it is computed with, and once it has failed the run, its file alone fails the same
// way.
#include "actors/small_run.hpp"
#include "apps/support/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

namespace askos::apps {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kConfig = R"(
data = { file = "waves.h5", train_rows = [0, 30], test_rows = [30, 40] }
graph = { kind = "regional", hidden_nodes = 23 }
model = { channels = 16, heads = 4, layers = 2, dtype = "float64" }
training = { steps = 8, batch_size = 3, warmup_steps = 2 }
run = { folder = "run", ranks = 3, threads_per_rank = 1, checkpoint_every = 3 }
)";

class RecordedTraining : public ::testing::Test {
 protected:
  RecordedTraining() {
    (void)actors::write_waves_with_nan(folder_.path());
    config_ = folder_.write("train.toml", kConfig);
  }
  [[nodiscard]] Ended run(std::vector<std::string> arguments) const {
    return Program(ASKOS_PROGRAM, arguments, folder_.path()).wait();
  }
  [[nodiscard]] json json_of(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const auto ended = run(arguments);
    EXPECT_EQ(ended.exit_code, 0) << arguments.front() << ": " << ended.err;
    return json::parse(ended.out, nullptr, false);
  }
  /// Asks for the hold until it is paused for `reason`.
  [[nodiscard]] json wait_for_hold(const std::string& reason) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      const auto ended = run({"hold", "--json"});
      if (ended.exit_code != 0) continue;  // it does not run yet
      auto hold = json::parse(ended.out);
      if (hold["state"] == "paused" && hold["reason"] == reason) return hold;
    }
    ADD_FAILURE() << "no " << reason << " within a minute";
    return {};
  }

  TemporaryFolder folder_;
  std::string config_;
};

TEST_F(RecordedTraining, ANanOfOneRankIsHeldRecordedAndMetAgain) {
  Program training(ASKOS_PROGRAM, {"train", config_, "--paused", "--record", "compute=3"},
                   folder_.path());
  (void)wait_for_hold("pause");
  EXPECT_EQ(json_of({"set", "compute", "learning_rate", "5e-4"})["value"], 5e-4);
  (void)json_of({"break", "read.window>partition.window", "--when", "nan(*) > 0"});
  (void)json_of({"resume"});

  const auto hold = wait_for_hold("breakpoint");
  EXPECT_EQ(json_of({"break"})[0]["hit"]["rank"], 1) << "cell 40 of 101 is the second rank's";
  json runs;
  for (const auto& stage : hold["stages"]) {
    EXPECT_EQ(stage["held"], true) << stage;
    if (stage["stage"] == "compute") runs.push_back(stage["runs"]);
  }
  EXPECT_EQ(runs, json({runs[0], runs[0], runs[0]})) << "not the same cut";
  const auto held = (folder_.path() / "held.h5").string();
  (void)json_of({"record", "compute", "--rank", "1", "-o", held});
  EXPECT_EQ(run({"replay", held, "--stage", "compute", "--check"}).exit_code, 0);

  const auto replay_with = [&](const std::string& config) {
    return run({"replay", held, "--stage", "compute", "--graph", config});
  };
  EXPECT_EQ(replay_with(config_).exit_code, 0);
  const auto other =
      std::regex_replace(std::string(kConfig), std::regex("layers = 2"), "layers = 1");
  const auto stale = replay_with(folder_.write("other.toml", other));
  EXPECT_EQ(stale.exit_code, 2);
  EXPECT_THAT(stale.err, HasSubstr("recording is stale: the configuration is another one now: "
                                   "recorded='model.layers = 2', found='model.layers = 1'"));

  EXPECT_EQ(run({"break", "--delete-all"}).exit_code, 0);
  (void)json_of({"resume"});
  const auto ended = training.wait();
  EXPECT_EQ(ended.exit_code, 7);
  EXPECT_THAT(ended.err, HasSubstr("loss or gradient is not finite"));

  int num_met = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder_.path() / "run" / "failed")) {
    const auto replayed =
        json_of({"replay", file.path().string(), "--stage", "compute", "--check"});
    EXPECT_EQ(replayed["equal"], true) << file.path();
    const auto& last = replayed["runs"].back();
    if (last["failure"].get<std::string>().find("is not finite") == std::string::npos) continue;
    EXPECT_EQ(last["done"], true);
    EXPECT_EQ(last["nan_taken"].get<int>() > 0, replayed["rank"] == 1) << "only rank 1 read a NaN";
    ++num_met;
  }
  EXPECT_GT(num_met, 0) << "whoever failed first had received all it needed";
}

}  // namespace
}  // namespace askos::apps
