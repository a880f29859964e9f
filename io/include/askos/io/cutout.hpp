// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>
#include <askos/io/dataset_index.hpp>
#include <askos/io/shard_reader.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace askos::io {

/// A regional grid set into a global one: the region's cells first, in their order, then those of
/// the globe that are not near any of them. Immutable; shared by any number of threads.
class Cutout {
 public:
  /// Leaves out cells of the globe within `distance` degrees of arc of a cell of the region. Throws
  /// `Errc::kInvalidInput` unless both have the same variables in the same units and order, members
  /// and time step, and the globe has every time of the region; `Errc::kNotFound` names the time.
  Cutout(std::shared_ptr<const DatasetIndex> region,
         std::shared_ptr<const DatasetIndex> globe,
         double distance);

  [[nodiscard]] const DatasetIndex& region() const noexcept { return *region_; }
  [[nodiscard]] const DatasetIndex& globe() const noexcept { return *globe_; }
  [[nodiscard]] const std::shared_ptr<const DatasetIndex>& region_index() const { return region_; }
  [[nodiscard]] const std::shared_ptr<const DatasetIndex>& globe_index() const { return globe_; }

  /// Says what the joined grid holds: times, variables and their statistics are the region's.
  [[nodiscard]] const DatasetInfo& info() const noexcept { return info_; }
  [[nodiscard]] std::int64_t num_region_cells() const noexcept {
    return region_->info().num_cells();
  }
  /// Cells of the globe that are left, rising: cell `num_region_cells() + i` is the globe's cell i.
  [[nodiscard]] const std::vector<std::int64_t>& globe_cells() const noexcept { return kept_; }
  /// Row of the globe at the time of a row of the region.
  [[nodiscard]] std::int64_t globe_row(std::int64_t row) const noexcept { return row + shift_; }
  /// Tells whether both have the row.
  [[nodiscard]] bool row_present(std::int64_t row) const;

 private:
  std::shared_ptr<const DatasetIndex> region_;
  std::shared_ptr<const DatasetIndex> globe_;
  std::vector<std::int64_t> kept_;
  std::int64_t shift_ = 0;
  DatasetInfo info_;
};

/// Reads a contiguous range of cells of a cutout, row by row, as `ShardReader` does, and of each
/// member only what lies in the range. A range in the region alone does not open the globe. Gaps of
/// the globe that are shorter than one of its chunks are read and left out.
class CutoutReader {
 public:
  /// Throws `Errc::kInvalidInput` if `cells` does not lie within the grid or is empty, and what
  /// `ShardReader` throws.
  CutoutReader(std::shared_ptr<const Cutout> grid,
               comm::Range cells,
               const ShardReaderOptions& options = {},
               FileOperations& operations = system_file_operations(),
               Clock& clock = steady_clock());

  [[nodiscard]] comm::Range cells() const noexcept { return cells_; }
  [[nodiscard]] std::int64_t row_bytes(DType dtype) const;
  void prefetch(std::int64_t row);
  /// See `ShardReader::read`; the row is the region's.
  void read(std::int64_t row, const RowTarget& target, std::span<const Affine> normaliser = {});
  void check_unchanged() const;
  /// Cells that were read and left out count as extra bytes.
  [[nodiscard]] ReadCounters counters() const;

 private:
  /// Cells that are neighbours in the member and in the target.
  struct Run {
    std::int64_t from = 0;  ///< within the reader's range
    std::int64_t to = 0;    ///< within the shard
    std::int64_t count = 0;
  };
  struct Part {
    ShardReader reader;
    bool of_globe = false;
    std::vector<Run> runs;
  };

  void add_part(comm::Range of_member, bool of_globe, std::vector<Run> runs);
  [[nodiscard]] std::int64_t row_of(const Part& part, std::int64_t row) const noexcept;

  std::shared_ptr<const Cutout> grid_;
  comm::Range cells_;
  ShardReaderOptions options_;
  FileOperations* operations_;
  Clock* clock_;
  std::vector<Part> parts_;
  std::vector<std::byte> scratch_;
  std::int64_t rows_read_ = 0;
};

}  // namespace askos::io
