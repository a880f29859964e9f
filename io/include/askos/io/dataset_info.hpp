// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>
#include <askos/io/calendar.hpp>
#include <askos/io/metadata.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace askos::io {

/// What a model does with a variable.
enum class VariableRole {
  kPrognostic,  ///< input and output
  kForcing,     ///< input only
  kDiagnostic,  ///< output only
};

[[nodiscard]] std::string_view to_string(VariableRole role) noexcept;
/// Throws `Errc::kInvalidInput` and lists the roles.
[[nodiscard]] VariableRole parse_role(std::string_view name);

/// Statistics of one variable over cells, ensemble members and time, in its unit. `stdev` is that
/// of the population (divided by the count); NaNs are left out; all NaN if there was no value.
struct Statistics {
  double mean = 0;
  double stdev = 0;
  double minimum = 0;
  double maximum = 0;
};

struct VariableInfo {
  std::string name;
  std::string unit = "1";  ///< as udunits spells it
  VariableRole role = VariableRole::kPrognostic;
  bool allow_nans = false;
  Statistics statistics;  ///< of the values
  Statistics tendency;    ///< of the differences x[t + step] - x[t]
};

/// Says what a dataset holds: everything but its fields. Rows are time steps, equally spaced; a row
/// that the source lacks is there, but marked as missing.
struct DatasetInfo {
  std::string title;
  std::string source;
  std::string licence;
  std::string uuid;                   ///< of this content; made by the writer if empty
  std::string cell_order = "source";  ///< how cells are ordered
  std::vector<VariableInfo> variables;
  Time first_time;               ///< of row 0
  std::chrono::seconds step{0};  ///< between rows
  std::int64_t num_rows = 0;
  std::int64_t num_ensembles = 1;
  std::vector<double> latitudes;         ///< [cell], degrees north
  std::vector<double> longitudes;        ///< [cell], degrees east, as in the source
  std::vector<std::int64_t> grid_shape;  ///< the source's grid, for instance {33, 36} (lat, lon)
  std::vector<std::int64_t> grid_cells;  ///< [cell] position in the flattened source grid, or empty
  comm::Range statistics_rows;           ///< rows that the statistics are taken from
  std::int64_t chunk_cells = 0;          ///< cells of one chunk; 0: `default_chunk_cells`
  Metadata metadata;                     ///< provenance and whatever else

  [[nodiscard]] std::int64_t num_cells() const noexcept {
    return static_cast<std::int64_t>(latitudes.size());
  }
  [[nodiscard]] std::int64_t num_variables() const noexcept {
    return static_cast<std::int64_t>(variables.size());
  }
  [[nodiscard]] Time time_of(std::int64_t row) const { return first_time + row * step; }
  /// Returns the row of `time`. Throws `Errc::kNotFound`, naming the first and last time, if the
  /// dataset has no such row.
  [[nodiscard]] std::int64_t row_at(Time time) const;
  /// Returns the position of a variable. Throws `Errc::kNotFound` with the nearest name.
  [[nodiscard]] std::int64_t variable_at(std::string_view name) const;
};

/// Number of float32 values, chunks and bytes of a dataset's fields; plain data.
struct FieldLayout {
  std::int64_t num_rows = 0;
  std::int64_t num_variables = 0;
  std::int64_t num_ensembles = 1;
  std::int64_t num_cells = 0;
  std::int64_t chunk_cells = 1;

  /// Number of (variable, ensemble member) pairs: the strips of a chunk.
  [[nodiscard]] std::int64_t num_strips() const noexcept { return num_variables * num_ensembles; }
  [[nodiscard]] std::int64_t chunks_per_row() const noexcept {
    return (num_cells + chunk_cells - 1) / chunk_cells;
  }
  /// Bytes of one chunk on the disk; the last of a row is padded to the same size.
  [[nodiscard]] std::int64_t chunk_bytes() const noexcept {
    return num_strips() * chunk_cells * static_cast<std::int64_t>(sizeof(float));
  }
  /// Cells of chunk `chunk` of any row, without padding.
  [[nodiscard]] comm::Range chunk_range(std::int64_t chunk) const noexcept;

  bool operator==(const FieldLayout&) const = default;
};

[[nodiscard]] FieldLayout layout_of(const DatasetInfo& info);

/// Returns how many cells a chunk holds by default: a row is cut into K = row bytes / 8 MB chunks,
/// but at least 16 and in multiples of 16, so that shards of up to 16 readers read at most one
/// chunk too much at each edge. Small grids keep K = 16 (964 cells: 61 a chunk): chunks of a row
/// are neighbours on the disk, so small ones cost no extra reads.
[[nodiscard]] std::int64_t default_chunk_cells(std::int64_t num_cells, std::int64_t num_strips);

/// Returns, per cell, whether the source grid holds a valid cell at each position of the square of
/// side 2 * `radius` + 1 around it; the grid's edges count as invalid. Throws `Errc::kInvalidInput`
/// unless the source grid has two axes.
[[nodiscard]] std::vector<bool> cells_with_full_neighbourhood(const DatasetInfo& info, int radius);

}  // namespace askos::io
