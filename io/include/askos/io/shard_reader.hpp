// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/shape.hpp>
#include <askos/comm/partition.hpp>
#include <askos/io/dataset_index.hpp>
#include <askos/io/file.hpp>
#include <askos/io/normaliser.hpp>
#include <askos/io/row_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace askos::io {

struct ShardReaderOptions {
  bool check_crc = true;  ///< read whole chunks and compare them with the table
  RetryPolicy retry;
};

/// Where a row goes: memory of the caller, for instance a slot of a pool.
struct RowTarget {
  std::span<std::byte> bytes;     ///< `ShardReader::row_bytes(dtype)` of it are written
  DType dtype = DType::kFloat32;  ///< float32, float64 or bfloat16
  RowLayout layout = RowLayout::kVariableCell;
};

/// What a reader has done so far.
struct ReadCounters {
  std::int64_t rows = 0;
  std::int64_t useful_bytes = 0;  ///< of the shard's own cells, as in the file
  std::int64_t extra_bytes = 0;   ///< read besides: rests of chunks at the shard's edges, padding
  std::int64_t nans = 0;
  std::int64_t infinities = 0;
};

/// Reads a contiguous range of cells, row by row, without HDF5: `pread` of exact extents, CRC
/// check, normalisation, cast and transposition in one pass over the bytes while they are in the
/// cache.
///
/// With `check_crc`, the chunks at the shard's two edges are read whole; without, not a byte more
/// than the shard is read. One thread; make one reader per thread, all of one index.
class ShardReader {
 public:
  /// Opens the file once more. Throws `Errc::kInvalidInput` if `cells` does not lie within it or is
  /// empty, `Errc::kCorruptData` if the file is no longer the one that was indexed.
  ShardReader(std::shared_ptr<const DatasetIndex> index,
              comm::Range cells,
              const ShardReaderOptions& options = {},
              FileOperations& operations = system_file_operations(),
              Clock& clock = steady_clock());

  [[nodiscard]] comm::Range cells() const noexcept { return cells_; }
  /// Bytes of one row of the shard as `dtype`.
  [[nodiscard]] std::int64_t row_bytes(DType dtype) const;

  /// Announces a row to the kernel; returns at once. Missing rows are ignored.
  void prefetch(std::int64_t row);

  /// Reads one row into `target`: `[var, ens, cell]` or `[ens, cell, var]`, each variable put
  /// through its line of `normaliser` (one per variable, or none at all: values as they are).
  ///
  /// Without CRC check, normaliser, cast and transposition the bytes go straight into `target` and
  /// are not looked at. Time spent in the kernel is accounted as `wait.io`. Throws
  /// `Errc::kNotFound` if the row is missing, `kShapeMismatch` if `target` is too small,
  /// `kTypeMismatch` for another dtype, `kCorruptData` on a CRC that does not match (row, chunk,
  /// both values) or a file that got shorter, `kEnvironment` on I/O errors after all retries,
  /// `kInvalidInput` on a NaN where the variable allows none, or an infinity.
  void read(std::int64_t row, const RowTarget& target, std::span<const Affine> normaliser = {});

  /// Throws `Errc::kCorruptData` if the file was changed, or another one has taken its name, since
  /// it was indexed. Call it once per epoch: what is read in between comes from the file as opened.
  void check_unchanged() const;

  [[nodiscard]] const ReadCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const DatasetIndex& index() const noexcept { return *index_; }

 private:
  /// One chunk's part of the shard.
  struct Part {
    std::int64_t chunk = 0;
    comm::Range cells;             ///< within the chunk
    std::int64_t target_cell = 0;  ///< where they begin within the shard
    bool is_whole = false;         ///< the chunk is read in one piece, padding and all
  };

  void check_request(std::int64_t row,
                     const RowTarget& target,
                     std::span<const Affine> normaliser) const;
  [[nodiscard]] std::int64_t strip_offset(std::int64_t row,
                                          const Part& part,
                                          std::int64_t strip) const;
  [[nodiscard]] std::size_t run_length(std::int64_t row,
                                       std::size_t first,
                                       std::size_t limit) const;
  void read_untouched(std::int64_t row, std::span<std::byte> target);
  void read_run(std::int64_t row, std::span<const Part> run);
  void check_chunk(std::int64_t row, std::int64_t chunk, std::span<const float> values) const;
  void transform(std::int64_t row,
                 const Part& part,
                 const float* chunk,
                 const RowTarget& target,
                 std::span<const Affine> normaliser);
  void count_strange(std::int64_t row, std::int64_t variable, std::span<const float> values);

  std::shared_ptr<const DatasetIndex> index_;
  comm::Range cells_;
  ShardReaderOptions options_;
  FileOperations* operations_;
  Clock* clock_;
  File file_;
  FieldLayout layout_;
  std::vector<Part> parts_;
  std::vector<float> scratch_;
  ReadCounters counters_;
};

}  // namespace askos::io
