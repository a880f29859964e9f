// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>
#include <askos/io/dataset_info.hpp>
#include <askos/io/file.hpp>
#include <askos/io/progress.hpp>
#include <askos/io/row_layout.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace askos::io {

/// Tells a `ShardWriter`, on whatever rank, where to write; plain data.
struct WritePlan {
  std::filesystem::path file;  ///< the temporary file
  FieldLayout layout;
  std::int64_t first_chunk_offset = 0;

  [[nodiscard]] std::int64_t offset_of(std::int64_t row, std::int64_t chunk) const noexcept {
    return first_chunk_offset + (row * layout.chunks_per_row() + chunk) * layout.chunk_bytes();
  }
};

/// What a `ShardWriter` did; plain data that the owner of the file collects.
struct ShardResult {
  comm::Range cells;
  std::vector<std::int64_t> rows;        ///< in the order in which they were written
  std::vector<std::uint32_t> chunk_crc;  ///< of chunks that are all its own: [row, chunk]
  std::vector<std::uint32_t> strip_crc;  ///< of its part of a chunk it shares: [row, chunk, strip]
};

/// Writes a contiguous range of cells of a dataset that a `DatasetWriter` has laid out. Any number
/// of them, on as many threads or ranks, write at once: shards may share a chunk but not a cell.
class ShardWriter {
 public:
  /// Throws `Errc::kInvalidInput` if `cells` does not lie within the dataset.
  ShardWriter(WritePlan plan,
              comm::Range cells,
              FileOperations& operations = system_file_operations());

  /// Writes one row of the shard: values f32, `[var, ens, cell]` or, with `kCellVariable`,
  /// `[ens, cell, var]`. Each row at most once, in any order. Throws `Errc::kShapeMismatch`, or
  /// `kEnvironment` if the disk is full.
  void write_row(std::int64_t row,
                 std::span<const float> values,
                 RowLayout layout = RowLayout::kVariableCell);

  /// Returns when all rows are on stable storage. Write no more after it.
  [[nodiscard]] ShardResult finish();

 private:
  void write_chunk(std::int64_t row,
                   std::int64_t chunk,
                   std::span<const float> values,
                   RowLayout layout);

  WritePlan plan_;
  File file_;
  std::vector<float> chunk_;
  ShardResult result_;
  std::vector<bool> written_;
};

/// Owns a dataset that is being written: lays the file out under `path` + `.tmp`, and, when the
/// shards are there, verifies it and gives it its name.
///
///   laid out -> (ShardWriters) -> finish: CRCs assembled, every chunk read back and compared,
///   statistics taken, tables written, synced, opened and checked, renamed
///
/// The same content gives the same bytes however it was sharded, if the uuid is given. Rows that
/// nobody wrote become missing rows, filled with NaN.
class DatasetWriter {
 public:
  /// Reserves all space; a full disk is `Errc::kEnvironment` here, before anything is computed.
  DatasetWriter(std::filesystem::path path,
                DatasetInfo info,
                FileOperations& operations = system_file_operations());
  /// Removes the temporary file unless `finish` has succeeded.
  ~DatasetWriter();
  DatasetWriter(const DatasetWriter&) = delete;
  DatasetWriter& operator=(const DatasetWriter&) = delete;

  [[nodiscard]] const WritePlan& plan() const noexcept { return plan_; }
  [[nodiscard]] const DatasetInfo& info() const noexcept { return info_; }

  /// Throws `Errc::kInvalidInput` if a row is there in part only or twice, or a value is NaN or Inf
  /// where that is not allowed; `Errc::kCorruptData` if a chunk does not read back as written.
  /// `progress` hears of each chunk that is read back.
  void finish(std::span<const ShardResult> shards, const Progress& progress = {});

 private:
  void fill_missing_rows(const File& file, const std::vector<std::uint8_t>& row_present) const;

  std::filesystem::path path_;
  DatasetInfo info_;
  FileOperations* operations_;
  WritePlan plan_;
  bool finished_ = false;
};

}  // namespace askos::io
