// SPDX-License-Identifier: Apache-2.0
//
// The dataset format, version 1, apart from its fields. See io/README.md for the list of arrays.
#pragma once

#include <askos/io/dataset_info.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace askos::io {

inline constexpr std::int64_t kFormatVersion = 1;

inline constexpr std::uint8_t kRowMissing = 0;
inline constexpr std::uint8_t kRowPresent = 1;

/// The arrays of statistics and what they hold.
inline constexpr std::array<std::pair<const char*, double Statistics::*>, 4> kStatistics{
    {{"mean", &Statistics::mean},
     {"stdev", &Statistics::stdev},
     {"minimum", &Statistics::minimum},
     {"maximum", &Statistics::maximum}}};

/// Returns the name of a tendency's array, for instance `tendencies_6h_stdev`.
[[nodiscard]] std::string tendency_name(const DatasetInfo& info, const char* statistic);

/// What the file says about each row and chunk.
struct DatasetTables {
  std::vector<std::uint8_t> row_state;   ///< [time]
  std::vector<std::uint32_t> nan_count;  ///< [time, variable]
  std::vector<std::uint32_t> chunk_crc;  ///< [time, chunk]; of missing rows 0
};

/// Names, units and roles as JSON: kept in an attribute, whose bytes HDF5 protects. The arrays of
/// strings are for other programs; HDF5 follows damaged pointers in those.
[[nodiscard]] Metadata variables_to_json(const DatasetInfo& info);
/// Reads them back, without statistics.
[[nodiscard]] std::vector<VariableInfo> variables_from_json(const Metadata& json);

/// Returns a CRC over everything that is kept in arrays (times, names, coordinates, statistics,
/// tables). It is stored as an attribute, whose bytes HDF5's own checksums protect.
[[nodiscard]] std::uint32_t tables_crc(const DatasetInfo& info, const DatasetTables& tables);

/// Throws `Errc::kInvalidInput` unless `info` describes a dataset that can be written.
void check_info(const DatasetInfo& info);

}  // namespace askos::io
