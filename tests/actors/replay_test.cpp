// SPDX-License-Identifier: Apache-2.0
// Compute of a training run, recorded on each rank, does its steps again alone, bit by bit; and a
// NaN that reached one rank is found by a breakpoint, recorded and met again.
#include "actors/small_run.hpp"

#include <askos/actors/replay.hpp>
#include <askos/actors/run.hpp>
#include <askos/base/error.hpp>
#include <askos/dataflow/control.hpp>
#include <askos/dataflow/replay.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::actors {
namespace {

using dataflow::Recording;
using ::testing::HasSubstr;

constexpr Nanoseconds kLong = std::chrono::seconds(60);
const dataflow::Debugger kMe{.name = "me"};

RunConfig config_of(const std::filesystem::path& data,
                    const std::filesystem::path& folder,
                    int num_ranks) {
  auto config = small_config(data, folder);
  config.run.ranks = num_ranks;
  return config;
}

/// Takes what was recorded of compute on all ranks just before the session ends.
RunHooks recording_hooks(int last, std::vector<Recording>& taken) {
  RunHooks hooks;
  hooks.record["compute"] = last;
  hooks.on_session = [&taken](const dataflow::Session& session) {
    return std::shared_ptr<void>(&taken, [&session, &taken](void*) {
      for (std::size_t rank = 0; rank < session.plan().ranks().size(); ++rank) {
        taken.push_back(*session.control().take_recording("compute", Rank{static_cast<int>(rank)}));
      }
    });
  };
  return hooks;
}

dataflow::ReplayReport replay_alone(const RunConfig& config, const Recording& recording) {
  const auto stage = make_recorded_stage(config, recording);
  return dataflow::replay(*stage, recording);
}

class ReplayOnRanks : public ::testing::TestWithParam<int> {};

TEST_P(ReplayOnRanks, OfAComputeStageAloneIsBitEqual) {
  const Folder folder;
  const auto config = config_of(write_waves(folder.path()), folder.path() / "run", GetParam());
  std::vector<Recording> recordings;
  (void)train(config, recording_hooks(3, recordings));
  ASSERT_EQ(recordings.size(), static_cast<std::size_t>(GetParam()));
  for (const auto& recording : recordings) {
    ASSERT_EQ(recording.runs.size(), 5U);  // 8 steps: 3, 3 and 2; the first three are forgotten
    EXPECT_EQ(recording.runs.front().number, 3);
    const auto report = replay_alone(config, recording);
    EXPECT_EQ(report.runs.size(), 5U);
    EXPECT_TRUE(report.equal()) << report.runs.back().difference;
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, ReplayOnRanks, ::testing::Values(1, 3));

TEST(Replay, FindsOneChangedBitOfAWeight) {
  const Folder folder;
  const auto config = config_of(write_waves(folder.path()), folder.path() / "run", 1);
  std::vector<Recording> recordings;
  (void)train(config, recording_hooks(8, recordings));
  auto& recording = recordings.at(0);
  for (auto& array : recording.state) {
    if (array.name.starts_with("trainer/") && array.bytes.size() > 64) {
      array.bytes[3] ^= std::byte{1};
      break;
    }
  }
  const auto report = replay_alone(config, recording);
  EXPECT_FALSE(report.equal());
  EXPECT_THAT(report.runs.back().difference, HasSubstr("loss_rate_norm_scale differs"));
}

TEST(Replay, RefusesARecordingOfAnotherModel) {
  const Folder folder;
  const auto config = config_of(write_waves(folder.path()), folder.path() / "run", 1);
  std::vector<Recording> recordings;
  (void)train(config, recording_hooks(2, recordings));
  auto other = config;
  other.model.num_layers = 1;
  try {
    (void)make_recorded_stage(other, recordings.at(0));
    FAIL() << "must not be accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kInvalidInput);
    EXPECT_THAT(error.what(), HasSubstr("recording is stale"));
    EXPECT_THAT(error.what(), HasSubstr("model.layers"));
  }
}

/// Trains on data with one NaN, stops before it is taken, then lets it through.
struct NanRun {
  std::optional<Rank> hit;
  std::optional<Recording> held;  ///< of the rank that was hit, before the step
  std::vector<Recording> failed;  ///< of all ranks, after it
  std::string failure;
};

NanRun run_into_nan(const RunConfig& config, const char* edge) {
  NanRun found;
  RunHooks hooks;
  hooks.record["compute"] = 3;
  hooks.on_session = [&](const dataflow::Session& session) -> std::shared_ptr<void> {
    auto& control = session.control();
    // Before a stage without collectives: nothing on another rank can make it go on.
    control.add_breakpoint(kMe, edge, "nan(*) > 0");
    while (session.status().state == "running" &&
           control.wait_for_hold(kLong).state != dataflow::HoldState::kPaused) {
    }
    if (!control.breakpoints().front().hit) return nullptr;
    found.hit = control.breakpoints().front().hit->rank;
    found.held = *control.take_recording("compute", *found.hit);
    control.remove_breakpoints();
    control.resume(kMe);
    return nullptr;
  };
  hooks.on_failure_recorded = [&](const Recording& recording) {
    found.failed.push_back(recording);
  };
  try {
    (void)train(config, hooks);
  } catch (const Error& error) {
    found.failure = error.what();
  }
  return found;
}

TEST(Replay, OfANanHeldByABreakpointFailsAsTheRunDoes) {
  const Folder folder;
  const auto config = config_of(write_waves_with_nan(folder.path()), folder.path() / "run", 1);
  const auto found = run_into_nan(config, "partition.sample>compute.sample");
  EXPECT_THAT(found.failure, HasSubstr("loss or gradient is not finite"));
  ASSERT_TRUE(found.held);
  const auto report = replay_alone(config, *found.held);
  EXPECT_TRUE(report.equal());
  ASSERT_FALSE(report.runs.empty());
  EXPECT_FALSE(report.runs.back().done);
  EXPECT_THAT(report.runs.back().failure, HasSubstr("loss or gradient is not finite"));
}

TEST(Replay, OfANanInOneRankOfThreeFailsAsItDidThere) {
  const Folder folder;
  const auto config = config_of(write_waves_with_nan(folder.path()), folder.path() / "run", 3);
  const auto found = run_into_nan(config, "read.window>partition.window");
  EXPECT_EQ(found.hit, Rank{1}) << "cell 40 of 101 is the second rank's";
  ASSERT_FALSE(found.failed.empty());
  int num_met = 0;
  for (const auto& recording : found.failed) {
    const auto report = replay_alone(config, recording);
    EXPECT_TRUE(report.equal()) << report.runs.back().difference;
    if (report.runs.back().failure.find("not finite") != std::string::npos) ++num_met;
  }
  EXPECT_GT(num_met, 0) << "whoever failed first had all it needed";
}

}  // namespace
}  // namespace askos::actors
