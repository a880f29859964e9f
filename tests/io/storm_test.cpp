// SPDX-License-Identifier: Apache-2.0
//
// The real data of the main example, from Debian's package libncarg-data.
#include "io/storm.hpp"

#include "io/datasets.hpp"

#include <askos/io/shard_reader.hpp>
#include <askos/io/verify.hpp>
#include <askos/io/window_index.hpp>

#include <cmath>

namespace askos::io {
namespace {

class Storm : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kStormFolder / "Pstorm.cdf")) {
      GTEST_SKIP() << "libncarg-data is not installed";
    }
    report_ = import_netcdf(storm_recipe(), folder_ / "storm.h5");
    index_ = DatasetIndex::open(folder_ / "storm.h5");
  }

  std::vector<std::vector<float>> read_rows() {
    ShardReader reader(index_, {0, index_->info().num_cells()});
    std::vector<std::vector<float>> rows(64);
    for (std::int64_t row = 0; row < 64; ++row) {
      if (index_->row_present(row)) {
        rows[static_cast<std::size_t>(row)].resize(6 * 964);
        reader.read(row, {std::as_writable_bytes(std::span(rows[static_cast<std::size_t>(row)]))});
      }
    }
    return rows;
  }

  TemporaryFolder folder_;
  ImportReport report_;
  std::shared_ptr<const DatasetIndex> index_;
};

TEST_F(Storm, Has964CellsAndThreeMissingSteps) {
  EXPECT_EQ(report_.num_rows, 64);
  EXPECT_EQ(report_.num_cells, 964);
  EXPECT_EQ(report_.num_grid_cells, 33 * 36);
  const DatasetInfo& info = index_->info();
  EXPECT_EQ(report_.missing_rows,
            (std::vector<Time>{info.time_of(17), info.time_of(36), info.time_of(37)}));
  EXPECT_EQ(format_time(info.time_of(63)), "1996-01-20T18:00:00");
  EXPECT_EQ(info.grid_shape, (std::vector<std::int64_t>{33, 36}));
  EXPECT_EQ(index_->layout().chunks_per_row(), 16);
  EXPECT_TRUE(verify_dataset(folder_ / "storm.h5").ok());
}

TEST_F(Storm, ValuesAreThoseOfTheFile) {
  // The first two values of p, t, u and u500, as ncdump prints them: the eighth and ninth cell of
  // the first latitude; seven cells west of them have none.
  const auto rows = read_rows();
  const std::vector<std::pair<std::size_t, std::pair<float, float>>> expected{
      {0, {101515.5F, 101451.5F}},
      {1, {291.4017F, 291.9017F}},
      {2, {-5.014618F, -4.014618F}},
      {4, {2.629822F, 1.629822F}}};
  for (const auto& [var, values] : expected) {
    EXPECT_FLOAT_EQ(rows[0][var * 964], values.first);
    EXPECT_FLOAT_EQ(rows[0][var * 964 + 1], values.second);
  }
  EXPECT_EQ(index_->info().latitudes.front(), 20);
  EXPECT_EQ(index_->info().longitudes.front(), -140 + 7 * 2.5);
}

TEST_F(Storm, StatisticsKnowTheTrainingPeriodOnly) {
  EXPECT_EQ(index_->info().statistics_rows, (comm::Range{0, 48}));
  const auto rows = read_rows();
  for (std::size_t var = 0; var < 6; ++var) {
    double sum = 0;
    double squares = 0;
    double count = 0;
    for (std::size_t row = 0; row < 48; ++row) {
      for (std::size_t i = 0; !rows[row].empty() && i < 964; ++i) {
        sum += rows[row][var * 964 + i];
        count += 1;
      }
    }
    const double mean = sum / count;
    for (std::size_t row = 0; row < 48; ++row) {
      for (std::size_t i = 0; !rows[row].empty() && i < 964; ++i) {
        squares += std::pow(rows[row][var * 964 + i] - mean, 2);
      }
    }
    // Two orders of summation of 43 380 doubles: relative 1e-12 is generous.
    const Statistics& found = index_->info().variables[var].statistics;
    EXPECT_NEAR(found.mean, mean, 1e-12 * std::abs(mean) + 1e-12);
    EXPECT_NEAR(found.stdev, std::sqrt(squares / count), 1e-11 * found.stdev);
    EXPECT_GT(index_->info().variables[var].tendency.stdev, 0);
  }
}

TEST_F(Storm, SplitsInto39TrainingAnd16TestSamples) {
  const WindowShape shape{{-1, 0}, {1}};
  const WindowIndex train(index_->rows_present(), shape, {0, 48});
  const WindowIndex test(index_->rows_present(), shape, {48, 64});
  std::vector<std::int64_t> targets;
  for (std::int64_t i = 0; i < train.size(); ++i) {
    targets.push_back(train.target_rows(i).front());
  }
  std::vector<std::int64_t> expected;
  for (const auto& [first, last] : {std::pair{2, 16}, std::pair{20, 35}, std::pair{40, 47}}) {
    for (std::int64_t target = first; target <= last; ++target) {
      expected.push_back(target);
    }
  }
  EXPECT_EQ(targets, expected);
  EXPECT_EQ(train.size(), 39);
  EXPECT_EQ(test.size(), 16);
  EXPECT_EQ(test.target_rows(0).front(), 48);
  EXPECT_EQ(test.target_rows(15).front(), 63);
}

TEST_F(Storm, PersistenceScoresAreThePublishedOnes) {
  // Root of the mean over all targets and cells of (x[t] - x[t - 1])^2; figures were computed
  // independently with NumPy and rounded to three digits.
  const std::vector<double> all{491, 3.50, 3.94, 4.63, 5.28, 7.29};
  const std::vector<double> inner{516, 3.77, 4.01, 4.71, 5.47, 7.68};
  const auto rows = read_rows();
  const std::vector<bool> is_inner = cells_with_full_neighbourhood(index_->info(), 2);
  for (std::size_t var = 0; var < 6; ++var) {
    double squares = 0;
    double inner_squares = 0;
    double inner_count = 0;
    for (std::size_t row = 48; row < 64; ++row) {
      for (std::size_t i = 0; i < 964; ++i) {
        const std::size_t at = var * 964 + i;
        const double difference = double{rows[row][at]} - rows[row - 1][at];
        squares += difference * difference;
        inner_squares += is_inner[i] ? difference * difference : 0;
        inner_count += is_inner[i] ? 1 : 0;
      }
    }
    const double tolerance = var == 0 ? 0.5 : 0.005;  // half of the last printed digit
    EXPECT_NEAR(std::sqrt(squares / (16 * 964)), all[var], tolerance) << var;
    EXPECT_NEAR(std::sqrt(inner_squares / inner_count), inner[var], tolerance) << var;
  }
}

}  // namespace
}  // namespace askos::io
