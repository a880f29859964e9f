// SPDX-License-Identifier: Apache-2.0
// Long rollouts and ensembles, from training to the file of a forecast: the same on any layout.
#include "actors/small_run.hpp"

#include <askos/actors/run.hpp>
#include <askos/io/dataset_index.hpp>
#include <askos/io/shard_reader.hpp>

#include <gtest/gtest.h>

namespace askos::actors {
namespace {

constexpr int kForecasts = 4;

struct Numbers {
  std::vector<double> losses;
  std::vector<double> scores;
  std::vector<float> forecast;  ///< [step, member, cell, var], in physical units
};

/// Trains through four forecasts in a row, with forcings; scores and forecasts as far.
RunConfig rollout_config(const std::filesystem::path& data, const std::filesystem::path& folder) {
  auto config = small_config(data, folder);
  config.training.rollout = kForecasts;
  config.training.batch_size = 4;
  config.training.average_decay = 0.9;
  config.data.test_forecasts = kForecasts;
  return config;
}

RunConfig ensemble_config(const std::filesystem::path& data, const std::filesystem::path& folder) {
  auto config = rollout_config(data, folder);
  config.members = 4;
  config.model.noise.kind = model::NoiseConfig::Kind::kConditioning;
  config.training.loss.error = model::ErrorKind::kCrps;
  config.training.steps = 4;
  return config;
}

std::vector<float> values_of(const std::filesystem::path& dataset) {
  const auto index = io::DatasetIndex::open(dataset);
  const auto& info = index->info();
  io::ShardReader reader(index, {0, info.num_cells()});
  std::vector<float> values;
  for (std::int64_t row = 0; row < info.num_rows; ++row) {
    std::vector<float> one(static_cast<std::size_t>(reader.row_bytes(DType::kFloat32)) /
                           sizeof(float));
    reader.read(row, {.bytes = std::as_writable_bytes(std::span(one)),
                      .layout = io::RowLayout::kCellVariable});
    values.insert(values.end(), one.begin(), one.end());
  }
  return values;
}

std::filesystem::path forecast_of(const RunConfig& config, const std::string& name) {
  const auto out = config.run.folder / name;
  forecast(config,
           {.out = out, .from = io::parse_time("2000-01-08T00:00"), .num_steps = kForecasts});
  return out;
}

Numbers run(const RunConfig& config) {
  EXPECT_EQ(train(config).last_step, config.training.steps);
  Numbers numbers{.losses = recorded_losses(config.run.folder), .scores = {}, .forecast = {}};
  for (const auto& score : evaluate(config).scores) {
    numbers.scores.insert(numbers.scores.end(), {score.rmse, score.spread, score.crps});
  }
  numbers.forecast = values_of(forecast_of(config, "forecast.h5"));
  return numbers;
}

void expect_near(const std::vector<double>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    // float64 sums in another order, through four forecasts and the updates.
    EXPECT_NEAR(found[i], expected[i], 1e-9 * expected[i]) << i;
  }
}

void expect_same(const Numbers& found, const Numbers& expected, const std::string& layout) {
  SCOPED_TRACE(layout);
  expect_near(found.losses, expected.losses);
  expect_near(found.scores, expected.scores);
  ASSERT_EQ(found.forecast.size(), expected.forecast.size());
  for (std::size_t i = 0; i < found.forecast.size(); ++i) {
    // At most the last bit of the file's float32 differs.
    EXPECT_FLOAT_EQ(found.forecast[i], expected.forecast[i]) << i;
  }
}

class Rollout : public ::testing::TestWithParam<int> {};

TEST_P(Rollout, OfFourStepsIsTheSameOnThreeRanks) {
  const Folder folder;
  const auto data = write_waves(folder.path(), true);
  auto config = rollout_config(data, folder.path() / "one");
  config.data.boundary_cells = GetParam();
  const auto one = run(config);
  EXPECT_EQ(one.forecast.size(), std::size_t{kForecasts} * 2 * kCells);
  config.run.folder = folder.path() / "three";
  config.run.ranks = 3;
  expect_same(run(config), one, "three ranks");

  const auto of_three = bytes_of(forecast_of(config, "three.h5"));
  config.run.ranks = 1;
  EXPECT_EQ(bytes_of(forecast_of(config, "one.h5")), of_three);
}

INSTANTIATE_TEST_SUITE_P(Layouts, Rollout, ::testing::Values(0, 1), [](const auto& test) {
  return test.param == 0 ? "WholeGrid" : "LimitedArea";
});

TEST(Rollout, GrowsByEpochsOnAnyNumberOfRanks) {
  const Folder folder;
  auto config = rollout_config(write_waves(folder.path(), true), folder.path() / "one");
  config.training.rollout = 2;
  config.training.rollout_max = kForecasts;
  config.training.batch_size = 8;  // three epochs in ten steps
  config.training.steps = 10;
  const auto one = run(config);
  config.run.folder = folder.path() / "two";
  config.run.ranks = 2;
  expect_same(run(config), one, "two ranks");
}

TEST(Rollout, KeepsTheBoundaryAtTheTruth) {
  const Folder folder;
  auto config = rollout_config(write_waves(folder.path()), folder.path() / "framed");
  config.data.boundary_cells = 1;
  config.training.steps = 2;
  const auto framed = run(config).losses;
  config.data.boundary_cells = 0;
  config.run.folder = folder.path() / "free";
  // The frame's cells are most of so small a grid: without them the loss is a part of the whole.
  EXPECT_LT(framed.front(), 0.8 * run(config).losses.front());
}

struct Spread {
  const char* name;
  int ranks;
  int ranks_per_model;
  int ranks_per_ensemble;
};

class Ensemble : public ::testing::TestWithParam<Spread> {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Folder;
    write_waves(folder_->path(), true);
    const auto config = ensemble_config(data(), folder_->path() / "one");
    one_ = new Numbers(run(config));
  }
  static void TearDownTestSuite() {
    delete one_;
    delete folder_;
  }
  static std::filesystem::path data() { return folder_->path() / "forced.h5"; }

  static Folder* folder_;
  static Numbers* one_;  ///< of one rank with all members
};
Folder* Ensemble::folder_ = nullptr;
Numbers* Ensemble::one_ = nullptr;

TEST_P(Ensemble, OfFourIsTheSameHoweverItIsSpread) {
  const auto& layout = GetParam();
  auto config = ensemble_config(data(), folder_->path() / layout.name);
  config.run.ranks = layout.ranks;
  config.run.ranks_per_model = layout.ranks_per_model;
  config.run.ranks_per_ensemble = layout.ranks_per_ensemble;
  const auto numbers = run(config);
  expect_same(numbers, *one_, layout.name);
  for (std::size_t i = 0; i < numbers.scores.size(); i += 3) {
    EXPECT_GT(numbers.scores[i + 1], 0) << "spread";
    EXPECT_LT(numbers.scores[i + 2], numbers.scores[i]) << "CRPS against RMSE";
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts,
                         Ensemble,
                         ::testing::Values(Spread{"TwoMembersOnEachOfTwoRanks", 2, 1, 2},
                                           Spread{"AThirdOfTheGridEach", 3, 3, 3},
                                           Spread{"HalvesOfGridAndMembers", 4, 2, 4},
                                           Spread{"TwoEnsemblesOfOtherSamples", 2, 1, 1}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(EnsembleFile, HoldsAllMembersWhoeverWritesIt) {
  const Folder folder;
  auto config = ensemble_config(write_waves(folder.path()), folder.path() / "run");
  config.members = 3;
  config.model.noise.kind = model::NoiseConfig::Kind::kInjection;
  (void)train(config);
  const auto bytes = [&](int ranks, Layout layout) {
    config.run.ranks = ranks;
    const auto out = folder.path() / "members.h5";
    forecast(
        config,
        {.out = out, .from = io::parse_time("2000-01-08T00:00"), .num_steps = 2, .layout = layout});
    EXPECT_EQ(io::DatasetIndex::open(out)->info().num_ensembles, 3);
    return bytes_of(out);
  };
  const auto one = bytes(1, Layout::kSharded);
  EXPECT_EQ(bytes(3, Layout::kSharded), one);
  EXPECT_EQ(bytes(2, Layout::kRooted), one);
}

}  // namespace
}  // namespace askos::actors
