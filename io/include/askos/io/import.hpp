// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/dataset_info.hpp>
#include <askos/io/file_operations.hpp>
#include <askos/io/progress.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace askos::io {

/// One variable of the dataset and where it comes from.
struct ImportVariable {
  std::string name;            ///< in the dataset
  std::filesystem::path file;  ///< relative to the recipe's folder, or absolute
  std::string source;          ///< in the file; `group/name` for one in a group
  std::string unit;            ///< empty: what the file says; an error if it says nothing
  VariableRole role = VariableRole::kPrognostic;
  bool allow_nans = false;
  std::optional<double> missing_value;         ///< besides `_FillValue` and `missing_value`
  std::map<std::string, std::int64_t> select;  ///< dimension -> index, for further dimensions
};

/// Names of the coordinates in the source files. Latitude and longitude are variables of one
/// dimension each, or both of the same one or two dimensions; time is a dimension, and a variable
/// of the same name unless `ImportTime` gives origin and step.
struct ImportAxes {
  std::string time = "time";
  std::string latitude = "latitude";
  std::string longitude = "longitude";
};

/// When the rows are. Both or neither: without them, the time variable's CF units are decoded.
struct ImportTime {
  std::optional<Time> origin;
  std::optional<std::chrono::seconds> step;
};

/// Which cells of the source grid become cells of the dataset.
enum class MaskRule {
  kAllCells,        ///< all; missing values become NaN
  kValidInAllRows,  ///< those where no row has a missing value, rows that are missing apart
};

/// Reads `all_cells`, `valid_in_all_rows`. Throws `Errc::kInvalidInput` and lists them.
[[nodiscard]] MaskRule parse_mask_rule(std::string_view name);

/// Says how NetCDF files become a dataset. Plain data: programs read it from a recipe file.
struct ImportRecipe {
  std::string title;
  std::string source;
  std::string licence;
  std::filesystem::path folder;  ///< where relative files are looked for
  ImportAxes axes;
  ImportTime time;
  MaskRule mask = MaskRule::kValidInAllRows;
  std::optional<Time> statistics_begin;  ///< rows from here on count; default: the first
  std::optional<Time> statistics_end;    ///< rows before this count; default: to the last
  std::int64_t chunk_cells = 0;          ///< 0: `default_chunk_cells`
  std::string uuid;                      ///< empty: a new one
  std::vector<ImportVariable> variables;
};

struct ImportReport {
  std::filesystem::path path;
  std::int64_t num_rows = 0;
  std::int64_t num_variables = 0;
  std::int64_t num_cells = 0;
  std::int64_t num_grid_cells = 0;  ///< of the source grid
  std::int64_t size_bytes = 0;      ///< of the file
  Time first_time;                  ///< of row 0
  std::chrono::seconds step{0};     ///< between rows
  std::vector<Time> missing_rows;   ///< where a variable has no value at all, or no time step
};

/// Reads NetCDF-3 and NetCDF-4 files and writes one dataset at `out`, in two passes: which rows and
/// cells are valid, then the values. One row of all variables is in memory at a time.
///
/// A row is missing if a variable that does not allow NaNs has not one value in it, or if the time
/// axis leaves it out. Values are unpacked by `scale_factor` and `add_offset`; the axes of a
/// variable may come in any order; variables without the time axis repeat in each row.
///
/// Throws an `Error` that names file and variable and, for a wrong name, the nearest one; nothing
/// is left at `out` then. Uses netCDF alone in the process while it reads (`DatasetIndex::open`
/// waits). `progress` hears of each row in both passes and of each chunk of the check that follows.
ImportReport import_netcdf(const ImportRecipe& recipe,
                           const std::filesystem::path& out,
                           FileOperations& operations = system_file_operations(),
                           const Progress& progress = {});

}  // namespace askos::io
