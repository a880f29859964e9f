// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netcdf_file.hpp"

#include <askos/io/import.hpp>

#include <vector>

namespace askos::io {

/// The grid of the source files, flattened in the order of its dimensions.
struct SourceGrid {
  std::vector<NetcdfDimension> dimensions;  ///< one or two
  std::vector<double> latitudes;            ///< [cell of the grid], degrees north
  std::vector<double> longitudes;           ///< [cell of the grid], degrees east

  [[nodiscard]] std::int64_t num_cells() const noexcept {
    return static_cast<std::int64_t>(latitudes.size());
  }
};

/// Reads the grid from the coordinates of `file`.
[[nodiscard]] SourceGrid read_grid(const NetcdfFile& file, const ImportAxes& axes);

/// The rows of the dataset and where each is in the files.
struct SourceTime {
  Time first;
  std::chrono::seconds step{0};
  std::vector<std::int64_t> positions;  ///< [row] index on the file's time dimension, -1: left out

  bool operator==(const SourceTime&) const = default;
};

/// Builds a regular time axis of `length` steps from the recipe, or from the file's time variable;
/// times that the file leaves out become rows without a position.
[[nodiscard]] SourceTime read_time(const NetcdfFile& file,
                                   const ImportRecipe& recipe,
                                   std::int64_t length);

}  // namespace askos::io
