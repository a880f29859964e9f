// SPDX-License-Identifier: Apache-2.0
#include "source_variable.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace askos::io {

SourceVariable::SourceVariable(const NetcdfFile& file,
                               const ImportVariable& recipe,
                               const ImportAxes& axes,
                               const SourceGrid& grid)
    : file_(&file), variable_(file.variable(recipe.source)) {
  for (const NetcdfDimension& dimension : variable_.dimensions) {
    place_dimension(dimension, recipe, axes, grid);
  }
  const auto complain = [&](const char* text) {
    return Error(Errc::kShapeMismatch, text)
        .with("file", file.path().string())
        .with("variable", recipe.source);
  };
  if (grid_axes_.size() != grid.dimensions.size()) {
    throw complain("variable does not lie on the grid of latitude and longitude")
        .with("expected_dimensions", grid.dimensions.size())
        .with("found_dimensions", grid_axes_.size());
  }
  for (const auto& [name, unused] : recipe.select) {
    if (std::ranges::find(variable_.dimensions, name, &NetcdfDimension::name) ==
        variable_.dimensions.end()) {
      throw complain("variable lacks a dimension that the recipe selects from")
          .with("dimension", name);
    }
  }
  rows_ = grid.dimensions.front().length;
  columns_ = grid.dimensions.size() == 2 ? grid.dimensions.back().length : 1;
  unit_ = recipe.unit.empty() ? file.text_attribute(variable_, "units").value_or("") : recipe.unit;
  if (unit_.empty()) {
    throw Error(Errc::kInvalidInput, "variable has no unit; give one in the recipe")
        .with("file", file.path().string())
        .with("variable", recipe.source);
  }
  scale_ = file.number_attribute(variable_, "scale_factor").value_or(1);
  offset_ = file.number_attribute(variable_, "add_offset").value_or(0);
  for (const char* name : {"_FillValue", "missing_value"}) {
    if (const auto value = file.number_attribute(variable_, name)) {
      missing_.push_back(*value);
    }
  }
  const auto fill = file.default_fill(variable_);
  if (fill && !file.number_attribute(variable_, "_FillValue")) {
    missing_.push_back(*fill);
  }
  if (recipe.missing_value) {
    missing_.push_back(*recipe.missing_value);
  }
}

void SourceVariable::place_dimension(const NetcdfDimension& dimension,
                                     const ImportVariable& recipe,
                                     const ImportAxes& axes,
                                     const SourceGrid& grid) {
  const auto on_grid = std::ranges::find(grid.dimensions, dimension);
  const auto selected = recipe.select.find(dimension.name);
  start_.push_back(0);
  if (on_grid != grid.dimensions.end()) {
    grid_axes_.push_back(static_cast<std::size_t>(on_grid - grid.dimensions.begin()));
    count_.push_back(static_cast<std::size_t>(dimension.length));
    return;
  }
  count_.push_back(1);
  if (dimension.name == axes.time) {
    num_times_ = dimension.length;
    time_axis_ = count_.size() - 1;
  } else if (selected != recipe.select.end()) {
    if (selected->second < 0 || selected->second >= dimension.length) {
      throw Error(Errc::kInvalidInput, "recipe selects an index that the dimension does not have")
          .with("file", file_->path().string())
          .with("variable", recipe.source)
          .with("dimension", dimension.name)
          .with("found", selected->second)
          .with("length", dimension.length);
    }
    start_.back() = static_cast<std::size_t>(selected->second);
  } else if (dimension.length != 1) {
    throw Error(Errc::kShapeMismatch,
                "variable has a dimension that is neither time nor on the grid; select an index")
        .with("file", file_->path().string())
        .with("variable", recipe.source)
        .with("dimension", dimension.name)
        .with("length", dimension.length);
  }
}

bool SourceVariable::is_missing(double packed) const noexcept {
  return std::isnan(packed) || std::ranges::find(missing_, packed) != missing_.end();
}

void SourceVariable::read(std::int64_t position, std::vector<double>& values) const {
  std::vector<std::size_t> start = start_;
  if (num_times_) {
    start[time_axis_] = static_cast<std::size_t>(position);
  }
  file_->read(variable_, start, count_, packed_);
  values.resize(packed_.size());
  const bool transposed = grid_axes_.size() == 2 && grid_axes_[0] == 1;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(packed_.size()); ++i) {
    // Transposed: the file runs over (column, row).
    const std::int64_t cell = transposed ? (i % rows_) * columns_ + i / rows_ : i;
    const double packed = packed_[static_cast<std::size_t>(i)];
    values[static_cast<std::size_t>(cell)] =
        is_missing(packed) ? std::numeric_limits<double>::quiet_NaN() : packed * scale_ + offset_;
  }
}

}  // namespace askos::io
