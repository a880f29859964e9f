// SPDX-License-Identifier: Apache-2.0
//
// Writes the HDF5 side of a dataset; its fields are written by `pwrite` between the two calls.
#pragma once

#include "dataset_tables.hpp"

#include <askos/io/dataset_info.hpp>

#include <cstdint>
#include <filesystem>

namespace askos::io {

/// Creates the file with all arrays in place, tables empty, fields reserved but not written, and
/// `askos_complete` = 0. Returns the offset of the first chunk of `fields`; chunk k of row t lies
/// (t * chunks per row + k) * chunk bytes behind it. `info` must have passed `check_info`.
///
/// The bytes depend on `info` alone: no times of day are recorded.
[[nodiscard]] std::int64_t create_dataset_file(const std::filesystem::path& path,
                                               const DatasetInfo& info);

/// Fills in tables and statistics and sets `askos_complete` = 1.
void complete_dataset_file(const std::filesystem::path& path,
                           const DatasetInfo& info,
                           const DatasetTables& tables);

}  // namespace askos::io
