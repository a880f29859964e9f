// SPDX-License-Identifier: Apache-2.0
// A run that goes on from a checkpoint against one that was never interrupted.
#include "actors/small_run.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/run.hpp>
#include <askos/io/checkpoint_store.hpp>

#include <gtest/gtest.h>

#include <atomic>

namespace askos::actors {
namespace {

/// What a step saw and gave.
struct Step {
  std::vector<std::string> samples;  ///< valid times, in order
  double loss = 0;

  bool operator==(const Step&) const = default;
};

/// The steps of a run; of one that was made twice the later one counts.
std::vector<Step> recorded_steps(const RunConfig& config) {
  std::vector<Step> steps;
  std::ifstream file(config.run.folder / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto record = io::parse_json(line);
    if (record.at("event").as_string() != "step") continue;
    Step step{.samples = {}, .loss = record.at("loss").as_double()};
    for (const auto& sample : record.at("samples").as_array()) {
      step.samples.push_back(sample.as_string());
    }
    const auto at = static_cast<std::size_t>(record.at("step").as_integer());
    steps.resize(std::max(steps.size(), at + 1));
    steps[at] = step;
  }
  return steps;
}

/// Forgets all checkpoints but that of `step`, as if the run had been killed after it.
void go_back(const RunConfig& config, std::int64_t step) {
  const io::CheckpointStore store(checkpoint_folder(config));
  for (const auto& checkpoint : store.list()) {
    if (checkpoint.step > step) store.remove(checkpoint);
  }
  ASSERT_EQ(store.find_newest_valid()->step, step);
}

/// Everything that a resumed run must not forget: epochs, a growing rollout, batches that are
/// accumulated, a running mean, a frame.
RunConfig long_config(const std::filesystem::path& data, const std::filesystem::path& folder) {
  auto config = small_config(data, folder);
  config.training.steps = 30;
  config.training.batch_size = 2;
  config.training.accumulate = 2;
  config.training.rollout_max = 3;
  config.training.rollout_every = 2;
  config.training.average_decay = 0.9;
  config.data.boundary_cells = 1;
  config.run.checkpoint_every = 5;
  config.run.keep_checkpoints = 10;
  return config;
}

TEST(Resume, SeesTheSameSamplesAndGivesTheSameBits) {
  const Folder folder;
  auto config = long_config(write_waves(folder.path()), folder.path() / "run");
  config.run.ranks = 2;
  for (const auto dtype : {DType::kFloat64, DType::kFloat32}) {
    config.dtype = dtype;
    config.run.folder = folder.path() / std::string(to_string(dtype));
    (void)train(config);
    const auto whole = recorded_steps(config);
    ASSERT_EQ(whole.size(), 30u);
    EXPECT_EQ(whole[0].samples.size(), 4u);
    EXPECT_NE(whole[0].samples, whole[1].samples);
    go_back(config, 10);
    EXPECT_EQ(train(config).first_step, 10);
    EXPECT_EQ(recorded_steps(config), whole);
  }
}

class ResumeElsewhere : public ::testing::TestWithParam<int> {};

TEST_P(ResumeElsewhere, SeesTheSameSamplesAndStaysNear) {
  const Folder folder;
  auto config = long_config(write_waves(folder.path()), folder.path() / "run");
  for (const auto dtype : {DType::kFloat64, DType::kFloat32}) {
    config.dtype = dtype;
    config.run.ranks = 2;
    config.run.folder = folder.path() / std::string(to_string(dtype));
    (void)train(config);
    const auto whole = recorded_steps(config);
    go_back(config, 10);
    config.run.ranks = GetParam();
    EXPECT_EQ(train(config).first_step, 10);
    const auto resumed = recorded_steps(config);
    ASSERT_EQ(resumed.size(), whole.size());
    EXPECT_NE(resumed, whole);  // another layout adds in another order
    const double tolerance = dtype == DType::kFloat64 ? 1e-9 : 1e-5;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_EQ(resumed[i].samples, whole[i].samples) << i;
      EXPECT_NEAR(resumed[i].loss, whole[i].loss, tolerance * whole[i].loss)
          << to_string(dtype) << ", step " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts,
                         ResumeElsewhere,
                         ::testing::Values(1, 3),
                         ::testing::PrintToStringParamName());

TEST(Resume, GoesOnAfterAnEarlyEndAsIfNothingHadHappened) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "whole");
  config.run.ranks = 2;
  (void)train(config);
  const auto whole = recorded_steps(config);

  config.run.folder = folder.path() / "parts";
  std::atomic<bool> stop = false;
  const auto stopped =
      train(config, {.on_step = [&](const StepReport& report) { stop = report.result.step >= 2; },
                     .on_session = {},
                     .stop_requested = [&] { return stop.load(); },
                     .place = nullptr});
  const auto result = train(config);
  EXPECT_EQ(result.first_step, stopped.last_step);
  EXPECT_EQ(result.last_step, config.training.steps);
  EXPECT_EQ(recorded_steps(config), whole);
}

}  // namespace
}  // namespace askos::actors
