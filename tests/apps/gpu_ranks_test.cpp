// SPDX-License-Identifier: Apache-2.0
// Ranks as processes with a GPU each, from outside; they may share one.
#include "apps/support/tiny_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::apps {
namespace {

using ::testing::HasSubstr;

/// Training on the CPU by one rank, to compare with.
class GpuRanks : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const auto probe = tiny_.run({"train", tiny_.write_config("probe"), "--ranks", "1", "--device",
                                  "cuda", "--set", "training.steps=1"});
    if (probe.exit_code == 6) GTEST_SKIP() << probe.err;
    ASSERT_EQ(probe.exit_code, 0) << probe.err;
  }

  [[nodiscard]] std::map<std::int64_t, RecordedStep> train_on_cpu(const std::string& dtype) const {
    const auto ended = tiny_.run({"train", tiny_.write_config("cpu"), "--ranks", "1", "--device",
                                  "cpu", "--fresh", "--set", "model.dtype=" + dtype});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return tiny_.steps("cpu");
  }

  /// Words of a training in the run folder `name`.
  [[nodiscard]] std::vector<std::string> training(const std::string& name,
                                                  const std::string& setting) const {
    return {program_beside_this("askos"), "train", tiny_.write_config(name), "--set", setting};
  }

  [[nodiscard]] static std::vector<std::string> launched(int num_ranks,
                                                         const std::vector<std::string>& command) {
    std::vector<std::string> words{"launch", "--gpus", "-n", std::to_string(num_ranks), "--"};
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }

  void expect_steps_of_cpu(const std::string& name, const std::string& dtype, double tolerance) {
    const auto expected = train_on_cpu(dtype);
    const auto found = tiny_.steps(name);
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [step, on_cpu] : expected) {
      EXPECT_EQ(found.at(step).samples, on_cpu.samples) << step;
      EXPECT_NEAR(found.at(step).loss, on_cpu.loss, tolerance * on_cpu.loss) << step;
    }
  }

  TinyRun tiny_;
};

TEST_P(GpuRanks, HaveTheLossesOfOneRankOfTheCpu) {
  for (const auto& [dtype, tolerance] : {std::pair{"float32", 1e-5}, {"float64", 1e-10}}) {
    const std::string name = std::string("gpus_") + dtype;
    const auto command = training(name, std::string("model.dtype=") + dtype);
    const auto ended = tiny_.run(launched(GetParam(), command));
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
    expect_steps_of_cpu(name, dtype, tolerance);
  }
}

TEST_P(GpuRanks, NameOneThatIsKilledAndGoOnAfterwards) {
  const auto kill =
      training("killed", "faults=[{ kind = 'kill', stage = 'compute', rank = 1, packet = 5 }]");
  const auto lost = tiny_.run(launched(GetParam(), kill));
  EXPECT_EQ(lost.exit_code, 4) << lost.err;
  EXPECT_THAT(lost.err, HasSubstr("a rank was lost: lost=1"));
  const auto resumed = tiny_.run(launched(GetParam(), training("killed", "faults=[]")));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  expect_steps_of_cpu("killed", "float64", 1e-10);
}

TEST_P(GpuRanks, MeetByTheVariablesOfTorchrun) {
  // Ranks that share a GPU must look like ranks of several hosts to NCCL.
  const std::string script =
      "for rank in $(seq 0 $(($0 - 1))); do "
      "RANK=$rank LOCAL_RANK=$rank WORLD_SIZE=$0 MASTER_ADDR=127.0.0.1 MASTER_PORT=$((29400 + $0)) "
      "NCCL_HOSTID=host$rank NCCL_SOCKET_IFNAME=lo NCCL_IB_DISABLE=1 \"$@\" & pids=\"$pids $!\"; "
      "done; for pid in $pids; do wait $pid || exit; done";
  std::vector<std::string> words{"-c", script, std::to_string(GetParam())};
  const auto command = training("variables", "model.dtype=float64");
  words.insert(words.end(), command.begin(), command.end());
  const auto ended = Program("/bin/sh", words, tiny_.folder()).wait();
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  expect_steps_of_cpu("variables", "float64", 1e-10);
}

TEST_P(GpuRanks, AreRefusedTheCpu) {
  auto command = training("refused", "training.steps=1");
  command.insert(command.end(), {"--device", "cpu"});
  const auto refused = tiny_.run(launched(GetParam(), command));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("each of these processes was started for a GPU"));
}

INSTANTIATE_TEST_SUITE_P(Shared, GpuRanks, ::testing::Values(2, 4));

}  // namespace
}  // namespace askos::apps
