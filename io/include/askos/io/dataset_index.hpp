// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/dataset_info.hpp>
#include <askos/io/file_operations.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

namespace askos::io {

struct DatasetStructure;

/// All that a reader needs to know of a dataset: built once through HDF5, which is closed again
/// before `open` returns; immutable and shared by any number of threads from then on.
class DatasetIndex {
 public:
  /// Checks the file's structure and reads its tables, not its fields. Waits for no other thread
  /// but those that are also in HDF5. Throws the first fault that it finds, with the number of
  /// others; `verify_dataset` lists all:
  ///
  ///   kNotFound       no such file; an array is missing (names those there are)
  ///   kCorruptData    empty, not HDF5, truncated (both sizes), not closed by its writer, tables
  ///                   that do not match their checksum, `askos_complete` = 0
  ///   kTypeMismatch, kShapeMismatch, kInvalidInput   not this format, or a newer version of it
  ///   kEnvironment    a writer holds the file; it cannot be read
  [[nodiscard]] static std::shared_ptr<const DatasetIndex> open(
      const std::filesystem::path& path, FileOperations& operations = system_file_operations());

  explicit DatasetIndex(DatasetStructure structure);
  ~DatasetIndex();
  DatasetIndex(const DatasetIndex&) = delete;
  DatasetIndex& operator=(const DatasetIndex&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept;
  /// The file's state when the index was built; a reader refuses any other.
  [[nodiscard]] const FileIdentity& identity() const noexcept;
  [[nodiscard]] const DatasetInfo& info() const noexcept;
  [[nodiscard]] const FieldLayout& layout() const noexcept;

  /// Tells whether row `row` is there: not marked as missing, and all its chunks were written.
  [[nodiscard]] bool row_present(std::int64_t row) const;
  /// [time] 1 if the row is there, else 0.
  [[nodiscard]] const std::vector<std::uint8_t>& rows_present() const noexcept;
  [[nodiscard]] std::uint32_t nan_count(std::int64_t row, std::int64_t variable) const;
  [[nodiscard]] std::uint32_t chunk_crc(std::int64_t row, std::int64_t chunk) const;
  /// Returns where a chunk begins in the file; -1 if it was never written.
  [[nodiscard]] std::int64_t chunk_offset(std::int64_t row, std::int64_t chunk) const;
  /// Tells whether chunk offsets follow from the first one (files that askos wrote) or were listed
  /// one by one (files that another program has rewritten).
  [[nodiscard]] bool has_implicit_offsets() const noexcept;

 private:
  std::unique_ptr<const DatasetStructure> structure_;
};

}  // namespace askos::io
