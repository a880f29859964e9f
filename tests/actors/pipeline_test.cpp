// SPDX-License-Identifier: Apache-2.0
#include "actors/small_run.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/run.hpp>
#include <askos/base/error.hpp>
#include <askos/io/dataset_index.hpp>
#include <askos/io/shard_reader.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <iterator>

namespace askos::actors {
namespace {

std::vector<double> losses_of(const RunConfig& config) {
  const auto result = train(config);
  EXPECT_EQ(result.last_step, config.training.steps);
  return recorded_losses(config.run.folder);
}

/// Trains until somebody asks for an early end once `step` is done.
TrainingResult train_until(std::int64_t step, const RunConfig& config) {
  std::atomic<bool> stop = false;
  return train(config,
               {.on_step = [&](const StepReport& report) { stop = report.result.step >= step; },
                .on_session = {},
                .stop_requested = [&] { return stop.load(); }});
}

/// float64 sums in another order: a few units in the last place, grown over eight steps.
void expect_equal(const std::vector<double>& losses, const std::vector<double>& reference) {
  ASSERT_EQ(losses.size(), reference.size());
  for (std::size_t step = 0; step < losses.size(); ++step) {
    EXPECT_NEAR(losses[step], reference[step], 1e-11 * reference[step]) << "step " << step;
  }
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Layout3 {
  const char* name;
  int ranks;
  int ranks_per_model;
  int readers;
};

class Layouts : public ::testing::TestWithParam<Layout3> {};

TEST_P(Layouts, GiveTheLossesOfOneRank) {
  const Folder folder;
  const auto data = write_waves(folder.path());
  const auto reference = losses_of(small_config(data, folder.path() / "one"));
  auto config = small_config(data, folder.path() / "many");
  config.run.ranks = GetParam().ranks;
  config.run.ranks_per_model = GetParam().ranks_per_model;
  config.run.num_readers_per_model = GetParam().readers;
  expect_equal(losses_of(config), reference);
}

INSTANTIATE_TEST_SUITE_P(Pipeline,
                         Layouts,
                         ::testing::Values(Layout3{"TwoRanks", 2, 0, 0},
                                           Layout3{"ThreeRanks", 3, 0, 0},
                                           Layout3{"FourRanksTwoReaders", 4, 0, 2},
                                           Layout3{"ThreeRanksOneReader", 3, 0, 1},
                                           Layout3{"TwoModelsOfTwoRanks", 4, 2, 0}),
                         [](const auto& layout) { return std::string(layout.param.name); });

/// Rollout that grows from two to three forecasts, in a limited area with forcings.
RunConfig rollout_config(const std::filesystem::path& data, const std::filesystem::path& folder) {
  auto config = small_config(data, folder);
  config.training.rollout = 2;
  config.training.rollout_max = 3;
  config.training.batch_size = 8;  // two epochs in eight steps
  config.training.average_decay = 0.9;
  config.data.boundary_cells = 1;
  config.data.test_forecasts = 3;
  return config;
}

TEST(Rollout, TrainsScoresAndForecastsAlikeOnAnyNumberOfRanks) {
  const Folder folder;
  const auto data = write_waves(folder.path(), true);
  const auto run = [&](const char* name, int ranks) {
    auto config = rollout_config(data, folder.path() / name);
    config.run.ranks = ranks;
    auto losses = losses_of(config);
    const auto evaluation = evaluate(config);
    EXPECT_EQ(evaluation.scores.back().lead_hours, 18);
    for (const auto& score : evaluation.scores) losses.push_back(score.rmse);
    const auto out = folder.path() / name / "forecast.h5";
    forecast(config, {.out = out, .from = io::parse_time("2000-01-08T00:00"), .num_steps = 4});
    return std::pair(losses, bytes_of(out));
  };
  const auto one = run("one", 1);
  const auto three = run("three", 3);
  // float64 sums in another order, through three forecasts and eight updates.
  ASSERT_EQ(one.first.size(), three.first.size());
  for (std::size_t i = 0; i < one.first.size(); ++i) {
    EXPECT_NEAR(three.first[i], one.first[i], 1e-10 * one.first[i]) << i;
  }
}

TEST(Rollout, KeepsTheBoundaryAtTheTruth) {
  const Folder folder;
  const auto data = write_waves(folder.path());
  auto config = rollout_config(data, folder.path() / "framed");
  config.training.steps = 2;
  const auto framed = losses_of(config);
  config.data.boundary_cells = 0;
  config.run.folder = folder.path() / "free";
  // The frame's cells are most of so small a grid: without them the loss is a part of the whole.
  EXPECT_LT(framed.front(), 0.8 * losses_of(config).front());
}

TEST(Ensemble, GivesTheSameOnAnyLayoutOfItsMembers) {
  const Folder folder;
  const auto data = write_waves(folder.path(), true);
  const auto run = [&](const std::string& name, int ranks, int per_model, int per_ensemble) {
    auto config = rollout_config(data, folder.path() / name);
    config.members = 4;
    config.model.noise.kind = model::NoiseConfig::Kind::kConditioning;
    config.training.loss.error = model::ErrorKind::kCrps;
    config.run.ranks = ranks;
    config.run.ranks_per_model = per_model;
    config.run.ranks_per_ensemble = per_ensemble;
    auto numbers = losses_of(config);
    for (const auto& score : evaluate(config).scores) {
      EXPECT_GT(score.spread, 0);
      EXPECT_LT(score.crps, score.rmse);
      numbers.insert(numbers.end(), {score.rmse, score.spread, score.crps});
    }
    return numbers;
  };
  const auto one = run("one", 1, 1, 1);
  const auto expect_same = [&](const std::vector<double>& numbers, const char* layout) {
    ASSERT_EQ(numbers.size(), one.size()) << layout;
    for (std::size_t i = 0; i < one.size(); ++i) {
      // float64 sums in another order, through three forecasts and eight updates.
      EXPECT_NEAR(numbers[i], one[i], 1e-9 * one[i]) << layout << ", number " << i;
    }
  };
  expect_same(run("members-apart", 2, 1, 2), "two ranks, two members each");
  expect_same(run("grid-apart", 3, 3, 3), "three ranks, a third of the grid each");
  expect_same(run("both-apart", 4, 2, 4), "four ranks, halves of both");
  expect_same(run("samples-apart", 2, 1, 1), "two ensembles of other samples");
}

TEST(Ensemble, WritesAllItsMembers) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "run");
  config.members = 3;
  config.model.noise.kind = model::NoiseConfig::Kind::kInjection;
  config.training.loss.error = model::ErrorKind::kCrps;
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

TEST(Training, AccumulatesBatchesToTheStepOfALargeOne) {
  const Folder folder;
  const auto data = write_waves(folder.path());
  const auto reference = losses_of(small_config(data, folder.path() / "large"));
  auto config = small_config(data, folder.path() / "small");
  config.training.accumulate = config.training.batch_size;
  config.training.batch_size = 1;
  config.run.ranks = 2;
  expect_equal(losses_of(config), reference);
}

TEST(Training, GoesOnToTheSameLossesOnAnotherNumberOfRanks) {
  const Folder folder;
  const auto data = write_waves(folder.path());
  auto config = rollout_config(data, folder.path() / "whole");
  const auto whole = losses_of(config);
  std::vector<std::filesystem::path> checkpoints;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoint_folder(config))) {
    checkpoints.push_back(entry.path());
  }
  std::ranges::sort(checkpoints);
  for (std::size_t i = 1; i < checkpoints.size(); ++i) {
    std::filesystem::remove_all(checkpoints[i]);  // as if it had been killed after the first
  }
  config.run.ranks = 3;
  EXPECT_EQ(train(config).first_step, config.run.checkpoint_every);
  const auto resumed = recorded_losses(config.run.folder);
  ASSERT_EQ(resumed.size(), whole.size());
  EXPECT_NE(resumed, whole);  // another layout adds in another order
  for (std::size_t i = 0; i < resumed.size(); ++i) {
    EXPECT_NEAR(resumed[i], whole[i], 1e-9 * whole[i]) << i;
  }
}

TEST(Training, RepeatsBitByBitOnOneLayout) {
  const Folder folder;
  const auto data = write_waves(folder.path());
  auto config = small_config(data, folder.path() / "a");
  config.run.ranks = 2;
  const auto first = losses_of(config);
  config.run.folder = folder.path() / "b";
  EXPECT_EQ(losses_of(config), first);
}

TEST(Training, GoesOnFromItsCheckpointAsIfNothingHadHappened) {
  const Folder folder;
  const auto data = write_waves(folder.path());
  auto config = small_config(data, folder.path() / "whole");
  config.run.ranks = 2;
  const auto whole = losses_of(config);

  config.run.folder = folder.path() / "parts";
  const auto stopped = train_until(2, config);
  const auto result = train(config);
  EXPECT_EQ(result.first_step, stopped.last_step);
  EXPECT_EQ(result.last_step, config.training.steps);
  EXPECT_EQ(recorded_losses(config.run.folder), whole);
}

TEST(Training, RefusesTheCheckpointOfAnotherModel) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "run");
  config.training.steps = 2;
  (void)train(config);
  config.model.num_channels = 32;
  try {
    (void)train(config);
    FAIL() << "was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kInvalidInput);
    EXPECT_NE(std::string(error.what()).find("model.channels='expected 32, found 16'"),
              std::string::npos)
        << error.what();
  }
}

TEST(Training, EndsOnAllRanksWhenTheLossIsNotFinite) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "run");
  config.run.ranks = 2;
  config.training.learning_rate = 1e300;  // overflows in the first updates
  config.training.warmup_steps = 0;
  try {
    (void)train(config);
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kCheckFailed) << error.what();
  }
}

TEST(Training, NoRankHoldsAnActivationOfTheWholeGrid) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "run");
  config.run.ranks = 3;
  (void)train(config);
  std::ifstream file(config.run.folder / "metrics.jsonl");
  int num_ranks = 0;
  for (std::string line; std::getline(file, line);) {
    const auto record = io::parse_json(line);
    if (record.has("activation_rows")) {
      ++num_ranks;
      for (const auto& [part, rows] : record.at("activation_rows").as_object()) {
        EXPECT_LT(rows.as_integer(), kCells) << part;
      }
    }
  }
  EXPECT_EQ(num_ranks, 3);
}

TEST(Evaluation, ScoresPersistenceAsAPlainLoopDoes) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "run");
  config.run.ranks = 3;
  (void)train(config);
  const auto evaluation = evaluate(config);
  double sum = 0;
  int count = 0;
  for (std::int64_t row = 30; row < kRows; ++row) {
    for (int cell = 0; cell < kCells; ++cell, ++count) {
      sum += std::pow(double{wave(row, 0, cell)} - wave(row - 1, 0, cell), 2);
    }
  }
  ASSERT_FALSE(evaluation.scores.empty());
  const auto& score = evaluation.scores.front();
  EXPECT_EQ(score.variable, "a");
  EXPECT_EQ(score.num_samples, kRows - 30);
  // Values go through float64 normalisation and back.
  EXPECT_NEAR(score.persistence_rmse, std::sqrt(sum / count), 1e-9);
}

TEST(Forecast, WritesTheSameFileOnAnyNumberOfRanksAndWriters) {
  const Folder folder;
  for (const bool forcing : {false, true}) {
    auto config = small_config(write_waves(folder.path(), forcing),
                               folder.path() / (forcing ? "forced" : "free"));
    (void)train(config);
    const auto forecast_bytes = [&](int ranks, Layout layout) {
      config.run.ranks = ranks;
      const auto out = folder.path() / "forecast.h5";
      forecast(config, {.out = out,
                        .from = io::parse_time("2000-01-08T00:00"),
                        .num_steps = 5,
                        .layout = layout});
      return bytes_of(out);
    };
    const auto one = forecast_bytes(1, Layout::kSharded);
    EXPECT_GT(one.size(), 5u * kCells * sizeof(float));
    // Float64 sums differ in the last bits at most; the file holds float32.
    EXPECT_EQ(forecast_bytes(3, Layout::kSharded), one) << "forcing " << forcing;
    EXPECT_EQ(forecast_bytes(3, Layout::kRooted), one) << "forcing " << forcing;
  }
}

TEST(Forecast, BeginsWithAStepTheTestScoresKnow) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "run");
  (void)train(config);
  const auto evaluation = evaluate(config);
  const auto out = folder.path() / "forecast.h5";
  // The last test sample is row 39: forecast it from row 38.
  const auto index = io::DatasetIndex::open(config.data.file);
  forecast(config, {.out = out, .from = index->info().time_of(38), .num_steps = 1});
  const auto written = io::DatasetIndex::open(out);
  io::ShardReader reader(written, {0, kCells});
  std::vector<float> values(3 * kCells);
  reader.read(0, {.bytes = std::as_writable_bytes(std::span(values)),
                  .layout = io::RowLayout::kCellVariable});
  EXPECT_EQ(values, evaluation.map.forecast);
}

}  // namespace
}  // namespace askos::actors
