// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"

#include <askos/io/dataset_index.hpp>
#include <askos/io/dataset_writer.hpp>
#include <askos/io/verify.hpp>

#include <cmath>
#include <fstream>
#include <iterator>
#include <thread>

namespace askos::io {
namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Writes the same content with one thread per shard.
void write_in_shards(const std::filesystem::path& path, const DatasetInfo& info, int num_shards) {
  DatasetWriter writer(path, info);
  std::vector<ShardResult> results(static_cast<std::size_t>(num_shards));
  std::vector<std::thread> threads;
  for (int i = 0; i < num_shards; ++i) {
    threads.emplace_back([&, i] {
      const comm::Range cells = comm::balanced_range(info.num_cells(), num_shards, i);
      ShardWriter shard(writer.plan(), cells);
      for (std::int64_t row = info.num_rows - 1; row >= 0; --row) {
        if (row != 2) {
          shard.write_row(row, row_values(info, row, cells));
        }
      }
      results[static_cast<std::size_t>(i)] = shard.finish();
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  writer.finish(results);
}

TEST(DatasetWriter, ComesBackAsItWasDescribed) {
  const TemporaryFolder folder;
  DatasetInfo info = describe({.rows = 5, .variables = 3, .ensembles = 2, .cells = 37});
  info.grid_shape = {37, 1};
  for (std::int64_t i = 0; i < 37; ++i) {
    info.grid_cells.push_back(i);
  }
  info.variables[1].role = VariableRole::kForcing;
  info.statistics_rows = {0, 4};
  write_dataset(folder / "x.h5", info, {2});
  const auto index = DatasetIndex::open(folder / "x.h5");
  const DatasetInfo& found = index->info();
  EXPECT_EQ(found.title, "test");
  EXPECT_EQ(found.uuid, info.uuid);
  EXPECT_EQ(found.first_time, info.first_time);
  EXPECT_EQ(found.step, info.step);
  EXPECT_EQ(found.num_rows, 5);
  EXPECT_EQ(found.num_ensembles, 2);
  EXPECT_EQ(found.latitudes, info.latitudes);
  EXPECT_EQ(found.longitudes, info.longitudes);
  EXPECT_EQ(found.grid_cells, info.grid_cells);
  EXPECT_EQ(found.grid_shape, info.grid_shape);
  EXPECT_EQ(found.metadata, info.metadata);
  EXPECT_EQ(found.statistics_rows, info.statistics_rows);
  ASSERT_EQ(found.num_variables(), 3);
  EXPECT_EQ(found.variables[1].name, "v1");
  EXPECT_EQ(found.variables[1].unit, "m s-1");
  EXPECT_EQ(found.variables[1].role, VariableRole::kForcing);
  EXPECT_EQ(index->rows_present(), (std::vector<std::uint8_t>{1, 1, 0, 1, 1}));
  EXPECT_TRUE(index->has_implicit_offsets());
}

TEST(DatasetWriter, StatisticsAreThoseOfThePopulationOfTheGivenRows) {
  const TemporaryFolder folder;
  DatasetInfo info = describe({.rows = 5, .variables = 2, .cells = 37});
  info.statistics_rows = {0, 4};  // rows 0, 1, 3: row 2 is missing
  write_dataset(folder / "x.h5", info, {2});
  const auto index = DatasetIndex::open(folder / "x.h5");
  for (std::int64_t var = 0; var < 2; ++var) {
    double sum = 0;
    double squares = 0;
    for (const std::int64_t row : {0, 1, 3}) {
      for (std::int64_t cell = 0; cell < 37; ++cell) {
        sum += value_at(row, var, 0, cell);
      }
    }
    const double mean = sum / (3 * 37);
    for (const std::int64_t row : {0, 1, 3}) {
      for (std::int64_t cell = 0; cell < 37; ++cell) {
        squares += std::pow(value_at(row, var, 0, cell) - mean, 2);
      }
    }
    const VariableInfo& variable = index->info().variables[static_cast<std::size_t>(var)];
    // Two ways to sum 111 doubles: a few units in the last place of about 1e3.
    EXPECT_NEAR(variable.statistics.mean, mean, 1e-11);
    EXPECT_NEAR(variable.statistics.stdev, std::sqrt(squares / (3 * 37)), 1e-10);
    EXPECT_EQ(variable.statistics.minimum, value_at(0, var, 0, 0));
    EXPECT_EQ(variable.statistics.maximum, value_at(3, var, 0, 36));
    // Only rows 0 and 1 follow each other within the range; the difference is 1000 everywhere.
    EXPECT_EQ(variable.tendency.mean, 1000);
    EXPECT_EQ(variable.tendency.stdev, 0);
    EXPECT_EQ(variable.tendency.minimum, 1000);
  }
}

TEST(DatasetWriter, BytesDoNotDependOnTheNumberOfShards) {
  const TemporaryFolder folder;
  for (const std::int64_t chunk_cells : {0, 5, 8, 37}) {
    const DatasetInfo info = describe(
        {.rows = 4, .variables = 3, .ensembles = 2, .cells = 37, .chunk_cells = chunk_cells});
    write_dataset(folder / "one.h5", info, {2});
    EXPECT_TRUE(verify_dataset(folder / "one.h5").ok());
    const std::string expected = bytes_of(folder / "one.h5");
    for (const int shards : {2, 3, 5, 36, 40}) {
      write_in_shards(folder / "many.h5", info, shards);
      EXPECT_EQ(bytes_of(folder / "many.h5"), expected)
          << "shards " << shards << ", chunk cells " << chunk_cells;
    }
  }
}

TEST(DatasetWriter, GivesEachContentItsOwnUuid) {
  const TemporaryFolder folder;
  DatasetInfo info = describe({});
  info.uuid.clear();
  write_dataset(folder / "a.h5", info);
  write_dataset(folder / "b.h5", info);
  EXPECT_NE(DatasetIndex::open(folder / "a.h5")->info().uuid,
            DatasetIndex::open(folder / "b.h5")->info().uuid);
}

TEST(DatasetWriter, LeavesNothingBehindIfItIsNotFinished) {
  const TemporaryFolder folder;
  {
    const DatasetWriter writer(folder / "x.h5", describe({}));
    EXPECT_TRUE(std::filesystem::exists(writer.plan().file));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(DatasetWriter, RefusesRowsThatAreThereInPartOnly) {
  const TemporaryFolder folder;
  const DatasetInfo info = describe({});
  DatasetWriter writer(folder / "x.h5", info);
  std::vector<ShardResult> results;
  for (const comm::Range cells : {comm::Range{0, 20}, comm::Range{20, 37}}) {
    ShardWriter shard(writer.plan(), cells);
    shard.write_row(0, row_values(info, 0, cells));
    if (cells.begin == 0) {
      shard.write_row(1, row_values(info, 1, cells));
    }
    results.push_back(shard.finish());
  }
  const Error error = error_of([&] { writer.finish(results); });
  EXPECT_EQ(error.code(), Errc::kInvalidInput);
  EXPECT_EQ(error.text(), "row was written in part only");
}

TEST(DatasetWriter, RefusesShardsThatOverlap) {
  const TemporaryFolder folder;
  const DatasetInfo info = describe({});
  DatasetWriter writer(folder / "x.h5", info);
  std::vector<ShardResult> results;
  for (const comm::Range cells : {comm::Range{0, 21}, comm::Range{20, 37}}) {
    ShardWriter shard(writer.plan(), cells);
    shard.write_row(0, row_values(info, 0, cells));
    results.push_back(shard.finish());
  }
  EXPECT_EQ(error_of([&] { writer.finish(results); }).code(), Errc::kInvalidInput);
}

TEST(DatasetWriter, RefusesNaNUnlessTheVariableAllowsIt) {
  const TemporaryFolder folder;
  for (const bool allowed : {false, true}) {
    DatasetInfo info = describe({});
    info.variables[1].allow_nans = allowed;
    DatasetWriter writer(folder / "x.h5", info);
    const comm::Range all{0, info.num_cells()};
    ShardWriter shard(writer.plan(), all);
    for (std::int64_t row = 0; row < info.num_rows; ++row) {
      auto values = row_values(info, row, all);
      if (row == 3) {
        values[37 + 4] = std::nanf("");
      }
      shard.write_row(row, values);
    }
    const ShardResult result = shard.finish();
    if (allowed) {
      writer.finish({&result, 1});
      const auto index = DatasetIndex::open(folder / "x.h5");
      EXPECT_EQ(index->nan_count(3, 1), 1u);
      EXPECT_EQ(index->nan_count(3, 0), 0u);
      EXPECT_FALSE(std::isnan(index->info().variables[1].statistics.mean));
      EXPECT_TRUE(verify_dataset(folder / "x.h5").ok());
    } else {
      const Error error = error_of([&] { writer.finish({&result, 1}); });
      EXPECT_EQ(error.code(), Errc::kInvalidInput);
      EXPECT_STREQ(error.what(),
                   "NaN where it is not allowed: variable=v1, time=1996-01-05T18:00:00, values=1");
    }
  }
}

TEST(DatasetWriter, AcceptsRowsInTheOrderOfAModel) {
  const TemporaryFolder folder;
  const DatasetInfo info = describe({.rows = 2, .variables = 3, .ensembles = 2, .cells = 37});
  write_dataset(folder / "a.h5", info);
  DatasetWriter writer(folder / "b.h5", info);
  ShardWriter shard(writer.plan(), {0, 37});
  for (std::int64_t row = 0; row < 2; ++row) {
    std::vector<float> values;  // [ens, cell, var]
    for (std::int64_t ens = 0; ens < 2; ++ens) {
      for (std::int64_t cell = 0; cell < 37; ++cell) {
        for (std::int64_t var = 0; var < 3; ++var) {
          values.push_back(value_at(row, var, ens, cell));
        }
      }
    }
    shard.write_row(row, values, RowLayout::kCellVariable);
  }
  const ShardResult result = shard.finish();
  writer.finish({&result, 1});
  EXPECT_EQ(bytes_of(folder / "a.h5"), bytes_of(folder / "b.h5"));
}

TEST(DatasetWriter, OpensInOtherPrograms) {
  if (std::system("command -v ncdump > /dev/null") != 0) {
    GTEST_SKIP() << "ncdump (netcdf-bin) is not installed";
  }
  const TemporaryFolder folder;
  const DatasetInfo info = describe({.rows = 2, .variables = 2, .ensembles = 1, .cells = 3});
  write_dataset(folder / "x.h5", info);
  const std::string text = (folder / "x.cdl").string();
  const std::string command =
      "ncdump -v time,variable,latitude,fields " + (folder / "x.h5").string() + " > " + text;
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string cdl = bytes_of(text);
  for (const char* line :
       {"float fields(time, variable, ensemble, cell) ;", "int64 time(time) ;",
        "string variable(variable) ;", "double latitude(cell) ;", "time = 820800000, 820821600 ;",
        "variable = \"v0\", \"v1\" ;", "fields:coordinates = \"latitude longitude\" ;",
        "  -12, -11.75, -11.5,\n  88, 88.25, 88.5,\n  988, 988.25, 988.5,\n"}) {
    EXPECT_NE(cdl.find(line), std::string::npos) << line << " is not in\n" << cdl;
  }
}

TEST(DatasetWriter, KeepsMetadataLargerThanAnObjectHeader) {
  const TemporaryFolder folder;
  DatasetInfo info = describe({});
  info.metadata["long"] = std::string(300'000, 'x');
  write_dataset(folder / "x.h5", info);
  EXPECT_EQ(DatasetIndex::open(folder / "x.h5")->info().metadata, info.metadata);
}

TEST(DatasetWriter, RefusesADescriptionThatMakesNoSense) {
  const TemporaryFolder folder;
  DatasetInfo info = describe({});
  info.variables[1].name = "v0";
  info.latitudes[3] = 91;
  const Error error = error_of([&] { DatasetWriter(folder / "x.h5", info); });
  EXPECT_EQ(error.code(), Errc::kInvalidInput);
  EXPECT_NE(std::string(error.what()).find("names of variables differ"), std::string::npos);
  EXPECT_NE(std::string(error.what()).find("latitudes lie within"), std::string::npos);
}

TEST(DefaultChunkCells, FollowsTheRuleForSmallAndLargeGrids) {
  EXPECT_EQ(default_chunk_cells(964, 6), 61);              // 16 chunks
  EXPECT_EQ(default_chunk_cells(40'320, 101), 2'520);      // 16
  EXPECT_EQ(default_chunk_cells(542'080, 101), 16'940);    // 32
  EXPECT_EQ(default_chunk_cells(6'599'680, 101), 19'642);  // 336
  EXPECT_EQ(default_chunk_cells(1, 1), 1);
  EXPECT_EQ(default_chunk_cells(15, 1), 1);
}

}  // namespace
}  // namespace askos::io
