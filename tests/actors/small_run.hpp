// SPDX-License-Identifier: Apache-2.0
// A run so small that it trains in a second: drifting waves on an irregular patch of cells.
#pragma once

#include <askos/actors/run_config.hpp>
#include <askos/io/dataset_writer.hpp>
#include <askos/io/metadata.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace askos::actors {

/// A folder that is removed with this object.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "askos-actors-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline constexpr int kCells = 101;  // not divisible by 2, 3 or 4
inline constexpr int kRows = 40;

inline float wave(std::int64_t row, int variable, int cell) {
  const double phase = 0.25 * static_cast<double>(row) + 0.37 * cell + 1.3 * variable;
  return static_cast<float>(280 + 10 * std::sin(phase) + 0.3 * std::cos(3.1 * phase));
}

/// Writes 40 rows of 3 variables on the cells of `info`; row 7 is missing. The third variable is a
/// forcing if asked for. Cell 40 of the first variable is NaN in row `nan_row`.
inline std::filesystem::path write_rows(const std::filesystem::path& path,
                                        io::DatasetInfo info,
                                        bool forcing,
                                        std::int64_t nan_row = -1) {
  info.title = "waves";
  info.variables.resize(3);
  for (std::size_t v = 0; v < 3; ++v) {
    info.variables[v].name = std::string(1, static_cast<char>('a' + v));
    info.variables[v].unit = "K";
  }
  if (forcing) {
    info.variables[2].role = io::VariableRole::kForcing;
  }
  info.first_time = io::parse_time("2000-01-01");
  info.step = io::parse_step("6h");
  info.num_rows = kRows;
  info.statistics_rows = {0, kRows};
  info.variables[0].allow_nans = nan_row >= 0;
  io::DatasetWriter writer(path, info);
  io::ShardWriter shard(writer.plan(), {0, kCells});
  std::vector<float> values(3 * kCells);
  for (std::int64_t row = 0; row < kRows; ++row) {
    if (row == 7) continue;
    for (int v = 0; v < 3; ++v) {
      for (int cell = 0; cell < kCells; ++cell) {
        values[static_cast<std::size_t>(v * kCells + cell)] = wave(row, v, cell);
      }
    }
    if (row == nan_row) values[40] = std::numeric_limits<float>::quiet_NaN();
    shard.write_row(row, values);
  }
  const io::ShardResult result = shard.finish();
  writer.finish({&result, 1});
  return path;
}

inline std::filesystem::path write_waves(const std::filesystem::path& folder,
                                         bool forcing = false,
                                         std::int64_t nan_row = -1) {
  io::DatasetInfo info;
  for (int cell = 0; cell < kCells; ++cell) {
    info.latitudes.push_back(30 + 2 * (cell / 12) + 0.01 * (cell % 5));
    info.longitudes.push_back(-20 + 3 * (cell % 12));
    info.grid_cells.push_back(cell);
  }
  info.grid_shape = {9, 12};
  return write_rows(folder / (forcing ? "forced.h5" : "waves.h5"), std::move(info), forcing,
                    nan_row);
}

inline std::filesystem::path write_waves_with_nan(const std::filesystem::path& folder) {
  return write_waves(folder, /*forcing=*/false, /*nan_row=*/20);
}

/// The same on cells that surround the globe, along a spiral from pole to pole.
inline std::filesystem::path write_globe(const std::filesystem::path& folder) {
  io::DatasetInfo info;
  for (int cell = 0; cell < kCells; ++cell) {
    info.latitudes.push_back(std::asin((2 * cell + 1.0) / kCells - 1) * 57.29577951308232);
    info.longitudes.push_back(std::remainder(137.508 * cell, 360));
  }
  return write_rows(folder / "globe.h5", std::move(info), /*forcing=*/false);
}

inline RunConfig small_config(const std::filesystem::path& data, const std::filesystem::path& run) {
  RunConfig config;
  config.data.file = data;
  config.data.train_rows = {0, 30};
  config.data.test_rows = {30, kRows};
  config.graph.regional = {.num_hidden = 23};
  config.model.num_channels = 16;
  config.model.num_layers = 2;
  config.model.encoder.num_heads = 4;
  config.model.encoder.qk_norm = true;
  config.model.encoder.edge_trainables = 2;
  config.model.processor = config.model.decoder = config.model.encoder;
  config.model.data_node_trainables = config.model.hidden_node_trainables = 2;
  config.dtype = DType::kFloat64;
  config.training.steps = 8;
  config.training.batch_size = 3;
  config.training.warmup_steps = 2;
  config.training.clip_norm = 1;
  config.training.variable_weights = VariableWeights::kTendencyVariance;
  config.run.folder = run;
  config.run.num_threads_per_rank = 1;
  config.run.checkpoint_every = 3;
  return config;
}

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The losses that a run recorded, by step; a step that was made twice must have given the same.
inline std::vector<double> recorded_losses(const std::filesystem::path& folder) {
  std::vector<double> losses;
  std::ifstream file(folder / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto record = io::parse_json(line);
    if (record.at("event").as_string() == "step") {
      const auto step = static_cast<std::size_t>(record.at("step").as_integer());
      losses.resize(std::max(losses.size(), step + 1));
      losses[step] = record.at("loss").as_double();
    }
  }
  return losses;
}

}  // namespace askos::actors
