// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataset_tables.hpp"

#include <askos/base/error.hpp>
#include <askos/io/dataset_info.hpp>
#include <askos/io/file_operations.hpp>

#include <filesystem>
#include <vector>

namespace askos::io {

/// What `DatasetIndex` holds.
struct DatasetStructure {
  std::filesystem::path path;
  FileIdentity identity;
  DatasetInfo info;
  FieldLayout layout;
  DatasetTables tables;
  bool implicit_offsets = false;
  std::vector<std::int64_t>
      offsets;  ///< implicit: of the first chunk; else [time, chunk], -1: never written

  [[nodiscard]] std::int64_t offset_of(std::int64_t row, std::int64_t chunk) const {
    const std::int64_t position = row * layout.chunks_per_row() + chunk;
    return implicit_offsets ? offsets[0] + position * layout.chunk_bytes()
                            : offsets[static_cast<std::size_t>(position)];
  }
};

/// Reads and checks all but the values of the fields. Appends every fault that it finds to
/// `faults`; what it returns is usable only if there is none.
[[nodiscard]] DatasetStructure load_structure(const std::filesystem::path& path,
                                              FileOperations& operations,
                                              std::vector<Error>& faults);

}  // namespace askos::io
