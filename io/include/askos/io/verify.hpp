// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>
#include <askos/io/file_operations.hpp>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace askos::io {

struct VerifyReport {
  std::vector<Error> faults;  ///< all that were found
  std::int64_t num_rows = 0;
  std::int64_t num_missing_rows = 0;
  std::int64_t num_chunks = 0;  ///< that were read
  std::int64_t num_bytes = 0;   ///< that were read

  [[nodiscard]] bool ok() const noexcept { return faults.empty(); }
};

/// Checks a dataset in full: structure, each chunk against its CRC, counts of NaNs and statistics
/// against the values. Reports every fault instead of throwing; if the structure is faulty, the
/// values are not read.
[[nodiscard]] VerifyReport verify_dataset(const std::filesystem::path& path,
                                          FileOperations& operations = system_file_operations());

}  // namespace askos::io
