// SPDX-License-Identifier: Apache-2.0
#include "actors/small_run.hpp"

#include <askos/actors/run.hpp>
#include <askos/base/error.hpp>
#include <askos/io/dataset_index.hpp>
#include <askos/io/shard_reader.hpp>

#include <gtest/gtest.h>

namespace askos::actors {
namespace {

std::vector<double> losses_of(const RunConfig& config) {
  const auto result = train(config);
  EXPECT_EQ(result.last_step, config.training.steps);
  return recorded_losses(config.run.folder);
}

/// float64 sums in another order: a few units in the last place, grown over eight steps.
void expect_equal(const std::vector<double>& losses, const std::vector<double>& reference) {
  ASSERT_EQ(losses.size(), reference.size());
  for (std::size_t step = 0; step < losses.size(); ++step) {
    EXPECT_NEAR(losses[step], reference[step], 1e-11 * reference[step]) << "step " << step;
  }
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

TEST(Training, WeighsParametersAsTold) {
  const Folder folder;
  const auto data = write_waves(folder.path());
  auto config = small_config(data, folder.path() / "plain");
  config.training.steps = 1;
  const double plain = losses_of(config).at(0);
  config.run.folder = folder.path() / "weighed";
  config.training.parameter_weights = {{"a", 2}, {"b", 2}, {"c", 2}};
  EXPECT_NEAR(losses_of(config).at(0), 2 * plain, 1e-12 * plain);
  config.run.folder = folder.path() / "refused";
  config.training.parameter_weights = {{"zz", 2}};
  try {
    (void)train(config);
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kInvalidInput) << error.what();
  }
  config.training.parameter_weights = {{"a", -1}};
  EXPECT_THROW(validate(config), Error);
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

/// The record of the first step's memory on rank 0.
io::Metadata memory_of(const RunConfig& config) {
  std::ifstream file(config.run.folder / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto record = io::parse_json(line);
    if (record.has("planned_bytes") && record.at("rank").as_integer() == 0) return record;
  }
  ADD_FAILURE() << "no plan was recorded";
  return {};
}

TEST(Training, TakesTheFewestChunksThatFitTheBudget) {
  const Folder folder;
  const auto data = write_waves(folder.path());
  auto config = small_config(data, folder.path() / "free");
  config.run.ranks = 2;
  const auto reference = losses_of(config);
  const auto free = memory_of(config);
  EXPECT_EQ(free.at("processor_chunks").as_integer(), 0);
  const auto budget = free.at("planned_bytes").as_integer() * 9 / 10;

  config.run.folder = folder.path() / "tight";
  config.memory_budget = Bytes{budget};
  expect_equal(losses_of(config), reference);
  const auto tight = memory_of(config);
  EXPECT_LE(tight.at("planned_bytes").as_integer(), budget);
  EXPECT_GT(tight.at("processor_chunks").as_integer() + tight.at("mapper_chunks").as_integer(), 0);
  EXPECT_LT(tight.at("step_peak_bytes").as_integer(), free.at("step_peak_bytes").as_integer());

  config.run.folder = folder.path() / "none";
  config.memory_budget = Bytes{1000};
  try {
    (void)train(config);
    FAIL() << "went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kEnvironment) << error.what();
  }
}

/// float32 losses of the small run, or those with products in a shorter type.
std::vector<double> losses_in(model::Precision precision, int ranks) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "run");
  config.dtype = DType::kFloat32;
  config.autocast = precision;
  config.run.ranks = ranks;
  return losses_of(config);
}

void expect_close(const std::vector<double>& losses, const std::vector<double>& expected) {
  ASSERT_EQ(losses.size(), expected.size());
  for (std::size_t step = 0; step < losses.size(); ++step) {
    EXPECT_NEAR(losses[step] / expected[step], 1, 0.03) << "step " << step;
  }
}

TEST(Training, MultipliesInBFloat16OnAnyNumberOfRanks) {
  const auto reference = losses_in(model::Precision::kModel, 1);
  for (const int ranks : {1, 3}) {
    const auto losses = losses_in(model::Precision::kBFloat16, ranks);
    EXPECT_NE(losses, reference);
    expect_close(losses, reference);
  }
}

TEST(Training, MultipliesInFloat16OnAnyNumberOfRanks) {
  const auto reference = losses_in(model::Precision::kModel, 1);
  for (const int ranks : {1, 3}) {
    const auto losses = losses_in(model::Precision::kFloat16, ranks);
    // Later losses differ: which updates are skipped, while the scale of the loss is too large,
    // depends on how many rows a rank sums.
    EXPECT_NE(losses.front(), reference.front());
    EXPECT_NEAR(losses.front() / reference.front(), 1, 0.03);
    EXPECT_LT(losses.back(), losses.front());
  }
}

TEST(Training, OnAStretchedGraphIsTheSameOnAnyNumberOfRanks) {
  EXPECT_TRUE((Region{.south = 0, .north = 10, .west = 170, .east = -170}.contains(5, 180)));
  EXPECT_FALSE((Region{.south = 0, .north = 10, .west = 170, .east = -170}.contains(5, 160)));
  const Folder folder;
  auto config = small_config(write_globe(folder.path()), folder.path() / "one");
  config.graph.kind = GraphKind::kStretched;
  config.graph.global.level = 0;
  config.graph.region_level = 2;
  config.graph.region = {.south = 20, .north = 90, .west = -20, .east = 100};
  config.training.steps = 3;
  const auto reference = losses_of(config);
  config.run.folder = folder.path() / "three";
  config.run.ranks = 3;
  expect_equal(losses_of(config), reference);
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
