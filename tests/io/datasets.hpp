// SPDX-License-Identifier: Apache-2.0
//
// Small datasets with known values, for the tests of `io`.
#pragma once

#include <askos/base/error.hpp>
#include <askos/io/dataset_writer.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace askos::io {

/// A folder of its own that is removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "askos-io-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

struct Sizes {
  std::int64_t rows = 5;
  std::int64_t variables = 3;
  std::int64_t ensembles = 1;
  std::int64_t cells = 37;
  std::int64_t chunk_cells = 0;
};

inline DatasetInfo describe(const Sizes& sizes) {
  DatasetInfo info;
  info.title = "test";
  info.source = "made up";
  info.licence = "none";
  info.uuid = "00000000-0000-4000-8000-000000000000";
  for (std::int64_t i = 0; i < sizes.variables; ++i) {
    VariableInfo variable;
    variable.name = std::string("v").append(std::to_string(i));
    variable.unit = i == 0 ? "K" : "m s-1";
    info.variables.push_back(variable);
  }
  info.first_time = parse_time("1996-01-05");
  info.step = std::chrono::hours(6);
  info.num_rows = sizes.rows;
  info.num_ensembles = sizes.ensembles;
  for (std::int64_t i = 0; i < sizes.cells; ++i) {
    info.latitudes.push_back(-80 +
                             160.0 * static_cast<double>(i) / static_cast<double>(sizes.cells));
    info.longitudes.push_back(static_cast<double>(i % 360));
  }
  info.chunk_cells = sizes.chunk_cells;
  info.metadata["made_by"] = "test";
  info.metadata["large"] = std::int64_t{9007199254740993};
  return info;
}

/// The value at one place: distinct, exact in float32 for small datasets.
inline float value_at(std::int64_t row, std::int64_t var, std::int64_t ens, std::int64_t cell) {
  return static_cast<float>(row * 1000 + var * 100 + ens * 50) +
         static_cast<float>(cell % 97) / 4.0F - 12.0F;
}

/// The values of one row and a range of cells, [var, ens, cell].
inline std::vector<float> row_values(const DatasetInfo& info, std::int64_t row, comm::Range cells) {
  std::vector<float> values;
  for (std::int64_t var = 0; var < info.num_variables(); ++var) {
    for (std::int64_t ens = 0; ens < info.num_ensembles; ++ens) {
      for (std::int64_t cell = cells.begin; cell < cells.end; ++cell) {
        values.push_back(value_at(row, var, ens, cell));
      }
    }
  }
  return values;
}

/// Writes a dataset of `value_at` in one piece, but for the rows in `missing`.
inline void write_dataset(const std::filesystem::path& path,
                          const DatasetInfo& info,
                          const std::vector<std::int64_t>& missing = {},
                          FileOperations& operations = system_file_operations()) {
  DatasetWriter writer(path, info, operations);
  const comm::Range all{0, info.num_cells()};
  ShardWriter shard(writer.plan(), all, operations);
  for (std::int64_t row = 0; row < info.num_rows; ++row) {
    if (std::find(missing.begin(), missing.end(), row) == missing.end()) {
      shard.write_row(row, row_values(info, row, all));
    }
  }
  const ShardResult result = shard.finish();
  writer.finish({&result, 1});
}

/// Runs `action` and returns the `Error` that it must throw.
template <typename Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return {Errc::kInternal, "no error was thrown"};
}

}  // namespace askos::io
