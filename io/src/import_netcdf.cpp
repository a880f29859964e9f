// SPDX-License-Identifier: Apache-2.0
#include "netcdf_file.hpp"
#include "source_grid.hpp"
#include "source_variable.hpp"

#include <askos/base/error.hpp>
#include <askos/io/dataset_writer.hpp>
#include <askos/io/import.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

namespace askos::io {
namespace {

/// The source files, open, and what the recipe wants from them.
class Import {
 public:
  Import(const ImportRecipe& recipe, const Progress& progress)
      : recipe_(recipe), progress_(progress) {
    if (recipe.variables.empty()) {
      throw Error(Errc::kInvalidInput, "recipe names no variables");
    }
    for (const ImportVariable& variable : recipe.variables) {
      const std::filesystem::path path = recipe.folder / variable.file;
      if (!files_.contains(path)) {
        files_.emplace(path, NetcdfFile(path));
      }
    }
    const NetcdfFile& first = files_.at(recipe.folder / recipe.variables.front().file);
    grid_ = read_grid(first, recipe.axes);
    std::optional<std::int64_t> num_times;
    for (const ImportVariable& variable : recipe.variables) {
      add_variable(variable, num_times);
    }
    if (!num_times) {
      throw Error(Errc::kInvalidInput, "no variable has the time dimension")
          .with("file", first.path().string())
          .with("dimension", recipe.axes.time);
    }
    time_ = read_time(first, recipe, *num_times);
    check_axes_agree(*num_times);
  }

  /// Finds the rows and cells that are valid: the first pass.
  void find_valid() {
    const auto num_cells = static_cast<std::size_t>(grid_.num_cells());
    std::vector<bool> keep(num_cells, true);
    std::vector<double> values;
    row_present_.assign(time_.positions.size(), true);
    for (std::size_t row = 0; row < time_.positions.size(); ++row) {
      tell("looking for values", row);
      std::vector<bool> valid(num_cells, true);
      row_present_[row] = time_.positions[row] >= 0 && all_have_values(row, valid, values);
      if (row_present_[row] && recipe_.mask == MaskRule::kValidInAllRows) {
        for (std::size_t cell = 0; cell < num_cells; ++cell) {
          keep[cell] = keep[cell] && valid[cell];
        }
      }
    }
    for (std::size_t cell = 0; cell < num_cells; ++cell) {
      if (keep[cell]) {
        cells_.push_back(static_cast<std::int64_t>(cell));
      }
    }
    if (cells_.empty() || std::ranges::find(row_present_, true) == row_present_.end()) {
      throw Error(Errc::kInvalidInput, "no cell is valid in all rows that are there")
          .with("grid_cells", num_cells)
          .with("rows", std::ranges::count(row_present_, true));
    }
  }

  [[nodiscard]] DatasetInfo describe() const {
    DatasetInfo info;
    info.title = recipe_.title;
    info.source = recipe_.source;
    info.licence = recipe_.licence;
    info.uuid = recipe_.uuid;
    info.first_time = time_.first;
    info.step = time_.step;
    info.num_rows = static_cast<std::int64_t>(time_.positions.size());
    info.chunk_cells = recipe_.chunk_cells;
    info.grid_cells = cells_;
    for (const NetcdfDimension& dimension : grid_.dimensions) {
      info.grid_shape.push_back(dimension.length);
    }
    for (const std::int64_t cell : cells_) {
      info.latitudes.push_back(grid_.latitudes[static_cast<std::size_t>(cell)]);
      info.longitudes.push_back(grid_.longitudes[static_cast<std::size_t>(cell)]);
    }
    Metadata::Array origins;
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      const ImportVariable& from = recipe_.variables[i];
      VariableInfo variable;
      variable.name = from.name;
      variable.unit = variables_[i].unit();
      variable.role = from.role;
      variable.allow_nans = from.allow_nans;
      info.variables.push_back(variable);
      Metadata origin;
      origin["name"] = from.name;
      origin["file"] = from.file.filename().string();
      origin["source"] = from.source;
      origins.push_back(std::move(origin));
    }
    info.metadata["imported_from"] = std::move(origins);
    info.metadata["grid_cells"] = grid_.num_cells();
    info.statistics_rows = statistics_rows(info);
    return info;
  }

  /// Reads and writes the values: the second pass.
  [[nodiscard]] ShardResult copy(const DatasetWriter& writer, FileOperations& operations) const {
    ShardWriter shard(writer.plan(), {0, static_cast<std::int64_t>(cells_.size())}, operations);
    std::vector<double> values;
    std::vector<float> row_values(cells_.size() * variables_.size());
    for (std::size_t row = 0; row < row_present_.size(); ++row) {
      tell("copying", row);
      if (!row_present_[row]) {
        continue;
      }
      auto to = row_values.begin();
      for (const SourceVariable& variable : variables_) {
        variable.read(time_.positions[row], values);
        for (const std::int64_t cell : cells_) {
          *to++ = static_cast<float>(values[static_cast<std::size_t>(cell)]);
        }
      }
      shard.write_row(static_cast<std::int64_t>(row), row_values);
    }
    return shard.finish();
  }

  [[nodiscard]] ImportReport report(const std::filesystem::path& out) const {
    ImportReport report;
    report.path = out;
    report.num_rows = static_cast<std::int64_t>(row_present_.size());
    report.num_variables = static_cast<std::int64_t>(variables_.size());
    report.num_cells = static_cast<std::int64_t>(cells_.size());
    report.num_grid_cells = grid_.num_cells();
    report.first_time = time_.first;
    report.step = time_.step;
    report.size_bytes = static_cast<std::int64_t>(std::filesystem::file_size(out));
    for (std::size_t row = 0; row < row_present_.size(); ++row) {
      if (!row_present_[row]) {
        report.missing_rows.push_back(time_.first + static_cast<std::int64_t>(row) * time_.step);
      }
    }
    return report;
  }

 private:
  void tell(const char* phase, std::size_t row) const {
    if (progress_) {
      progress_(phase, static_cast<std::int64_t>(row),
                static_cast<std::int64_t>(row_present_.size()));
    }
  }

  void add_variable(const ImportVariable& variable, std::optional<std::int64_t>& num_times) {
    const NetcdfFile& file = files_.at(recipe_.folder / variable.file);
    variables_.emplace_back(file, variable, recipe_.axes, grid_);
    const auto found = variables_.back().num_times();
    if (found && num_times && *found != *num_times) {
      throw Error(Errc::kShapeMismatch, "variables have time axes of different lengths")
          .with("file", file.path().string())
          .with("variable", variable.source)
          .with("expected", *num_times)
          .with("found", *found);
    }
    num_times = found ? found : num_times;
  }

  /// All files must lie on the same grid and, if they say it, at the same times.
  void check_axes_agree(std::int64_t num_times) const {
    for (const auto& [path, file] : files_) {
      const SourceGrid grid = read_grid(file, recipe_.axes);
      if (grid.latitudes != grid_.latitudes || grid.longitudes != grid_.longitudes) {
        throw Error(Errc::kShapeMismatch, "files lie on different grids")
            .with("file", path.string())
            .with("expected_cells", grid_.num_cells())
            .with("found_cells", grid.num_cells());
      }
    }
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      const NetcdfFile& file = files_.at(recipe_.folder / recipe_.variables[i].file);
      if (variables_[i].num_times() && read_time(file, recipe_, num_times) != time_) {
        throw Error(Errc::kShapeMismatch, "files have different time axes")
            .with("file", file.path().string())
            .with("expected_first", format_time(time_.first));
      }
    }
  }

  /// Tells whether each variable that must has values in the row, and takes cells without from
  /// `valid`.
  bool all_have_values(std::size_t row,
                       std::vector<bool>& valid,
                       std::vector<double>& values) const {
    bool all = true;
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      if (recipe_.variables[i].allow_nans) {
        continue;
      }
      variables_[i].read(time_.positions[row], values);
      bool any = false;
      for (std::size_t cell = 0; cell < values.size(); ++cell) {
        const bool there = !std::isnan(values[cell]);
        valid[cell] = valid[cell] && there;
        any = any || there;
      }
      all = all && any;
    }
    return all;
  }

  comm::Range statistics_rows(const DatasetInfo& info) const {
    comm::Range rows{0, info.num_rows};
    while (recipe_.statistics_begin && rows.begin < rows.end &&
           info.time_of(rows.begin) < *recipe_.statistics_begin) {
      ++rows.begin;
    }
    while (recipe_.statistics_end && rows.end > rows.begin &&
           info.time_of(rows.end - 1) >= *recipe_.statistics_end) {
      --rows.end;
    }
    if (rows.size() == 0) {
      throw Error(Errc::kInvalidInput, "statistics are wanted from a time without rows")
          .with("key", "statistics.begin, statistics.end")
          .with("first", format_time(info.first_time))
          .with("last", format_time(info.time_of(info.num_rows - 1)));
    }
    return rows;
  }

  const ImportRecipe& recipe_;
  const Progress& progress_;
  std::map<std::filesystem::path, NetcdfFile> files_;
  SourceGrid grid_;
  std::vector<SourceVariable> variables_;
  SourceTime time_;
  std::vector<bool> row_present_;
  std::vector<std::int64_t> cells_;
};

}  // namespace

MaskRule parse_mask_rule(std::string_view name) {
  constexpr std::array<std::string_view, 2> kNames{"all_cells", "valid_in_all_rows"};
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) {
    throw Error(Errc::kInvalidInput, "unknown rule for the mask")
        .with("found", name)
        .with("expected", "all_cells or valid_in_all_rows");
  }
  return static_cast<MaskRule>(found - kNames.begin());
}

ImportReport import_netcdf(const ImportRecipe& recipe,
                           const std::filesystem::path& out,
                           FileOperations& operations,
                           const Progress& progress) {
  Import import(recipe, progress);
  import.find_valid();
  DatasetWriter writer(out, import.describe(), operations);
  const ShardResult shard = import.copy(writer, operations);
  writer.finish({&shard, 1}, progress);
  return import.report(out);
}

}  // namespace askos::io
