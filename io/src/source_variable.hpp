// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netcdf_file.hpp"
#include "source_grid.hpp"

#include <askos/io/import.hpp>

#include <optional>
#include <string>
#include <vector>

namespace askos::io {

/// Reads one variable of the recipe, time step by time step, on the grid.
class SourceVariable {
 public:
  /// Checks that the variable's dimensions are those of the grid, time, and what the recipe
  /// selects; dimensions of length one are selected by themselves. `file` must live as long as
  /// this.
  SourceVariable(const NetcdfFile& file,
                 const ImportVariable& recipe,
                 const ImportAxes& axes,
                 const SourceGrid& grid);

  /// Length of the time dimension; nothing if the variable does not vary in time.
  [[nodiscard]] std::optional<std::int64_t> num_times() const noexcept { return num_times_; }
  [[nodiscard]] const std::string& unit() const noexcept { return unit_; }

  /// Reads one time step: `[cell of the grid]`, unpacked, NaN where the value is missing.
  void read(std::int64_t position, std::vector<double>& values) const;

 private:
  void place_dimension(const NetcdfDimension& dimension,
                       const ImportVariable& recipe,
                       const ImportAxes& axes,
                       const SourceGrid& grid);
  [[nodiscard]] bool is_missing(double packed) const noexcept;

  const NetcdfFile* file_;
  NetcdfVariable variable_;
  std::string unit_;
  std::optional<std::int64_t> num_times_;
  std::size_t time_axis_ = 0;
  std::vector<std::size_t> start_;
  std::vector<std::size_t> count_;
  std::vector<std::size_t> grid_axes_;  // of the grid's dimensions, as the variable orders them
  std::int64_t rows_ = 1;               // lengths of the grid, for the transposition
  std::int64_t columns_ = 1;
  double scale_ = 1;
  double offset_ = 0;
  std::vector<double> missing_;
  mutable std::vector<double> packed_;
};

}  // namespace askos::io
