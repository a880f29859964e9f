// SPDX-License-Identifier: Apache-2.0

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/io/dataset_info.hpp>

#include <algorithm>
#include <array>

namespace askos::io {
namespace {

constexpr std::array<std::string_view, 3> kRoles{"prognostic", "forcing", "diagnostic"};

}  // namespace

std::string_view to_string(VariableRole role) noexcept {
  return kRoles.at(static_cast<std::size_t>(role));
}

VariableRole parse_role(std::string_view name) {
  const auto found = std::ranges::find(kRoles, name);
  if (found == kRoles.end()) {
    throw Error(Errc::kInvalidInput, "unknown role of a variable")
        .with("found", name)
        .with("expected", "prognostic, forcing or diagnostic");
  }
  return static_cast<VariableRole>(found - kRoles.begin());
}

std::int64_t DatasetInfo::row_at(Time time) const {
  const auto since = time - first_time;
  const std::int64_t row = step.count() > 0 ? since / step : 0;
  if (row < 0 || row >= num_rows || time_of(row) != time) {
    throw Error(Errc::kNotFound, "dataset has no such time")
        .with("time", format_time(time))
        .with("first", format_time(first_time))
        .with("last", format_time(time_of(num_rows - 1)))
        .with("step", format_step(step));
  }
  return row;
}

std::int64_t DatasetInfo::variable_at(std::string_view name) const {
  const auto found = std::ranges::find(variables, name, &VariableInfo::name);
  if (found != variables.end()) {
    return found - variables.begin();
  }
  std::vector<std::string> names;
  for (const VariableInfo& variable : variables) {
    names.push_back(variable.name);
  }
  Error error(Errc::kNotFound, "dataset has no such variable");
  error.with("variable", name);
  suggest(error, name, names);
  throw error;
}

comm::Range FieldLayout::chunk_range(std::int64_t chunk) const noexcept {
  return {chunk * chunk_cells, std::min((chunk + 1) * chunk_cells, num_cells)};
}

FieldLayout layout_of(const DatasetInfo& info) {
  FieldLayout layout{info.num_rows, info.num_variables(), info.num_ensembles, info.num_cells(),
                     info.chunk_cells};
  if (layout.chunk_cells == 0) {
    layout.chunk_cells = default_chunk_cells(layout.num_cells, layout.num_strips());
  }
  return layout;
}

std::int64_t default_chunk_cells(std::int64_t num_cells, std::int64_t num_strips) {
  constexpr std::int64_t kAimedBytes = 8'000'000;
  const std::int64_t row_bytes = num_cells * num_strips * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t wanted = (row_bytes / kAimedBytes + 15) / 16 * 16;
  const std::int64_t num_chunks =
      std::clamp<std::int64_t>(wanted, 16, std::max<std::int64_t>(num_cells, 16));
  return std::max<std::int64_t>((num_cells + num_chunks - 1) / num_chunks, 1);
}

std::vector<bool> cells_with_full_neighbourhood(const DatasetInfo& info, int radius) {
  if (info.grid_shape.size() != 2 ||
      info.grid_cells.size() != static_cast<std::size_t>(info.num_cells())) {
    throw Error(Errc::kInvalidInput, "dataset does not come from a grid with two axes")
        .with("axes", info.grid_shape.size());
  }
  const std::int64_t rows = info.grid_shape[0];
  const std::int64_t columns = info.grid_shape[1];
  std::vector<bool> valid(static_cast<std::size_t>(rows * columns), false);
  for (const std::int64_t cell : info.grid_cells) {
    valid.at(static_cast<std::size_t>(cell)) = true;
  }
  const auto full_around = [&](std::int64_t cell) {
    const std::int64_t row = cell / columns;
    const std::int64_t column = cell % columns;
    for (std::int64_t i = row - radius; i <= row + radius; ++i) {
      for (std::int64_t j = column - radius; j <= column + radius; ++j) {
        const bool inside = i >= 0 && i < rows && j >= 0 && j < columns;
        if (!inside || !valid[static_cast<std::size_t>(i * columns + j)]) {
          return false;
        }
      }
    }
    return true;
  };
  std::vector<bool> result;
  result.reserve(info.grid_cells.size());
  for (const std::int64_t cell : info.grid_cells) {
    result.push_back(full_around(cell));
  }
  return result;
}

}  // namespace askos::io
