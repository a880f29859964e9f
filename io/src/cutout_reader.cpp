// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/cutout.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace askos::io {

CutoutReader::CutoutReader(std::shared_ptr<const Cutout> grid,
                           comm::Range cells,
                           const ShardReaderOptions& options,
                           FileOperations& operations,
                           Clock& clock)
    : grid_(std::move(grid)),
      cells_(cells),
      options_(options),
      operations_(&operations),
      clock_(&clock) {
  const std::int64_t num_region = grid_->num_region_cells();
  if (cells.begin < 0 || cells.size() < 1 || cells.end > grid_->info().num_cells()) {
    throw Error(Errc::kInvalidInput, "shard is empty or does not lie within the grid")
        .with("begin", cells.begin)
        .with("end", cells.end)
        .with("cells", grid_->info().num_cells());
  }
  if (cells.begin < num_region) {
    const comm::Range own = {cells.begin, std::min(cells.end, num_region)};
    add_part(own, /*of_globe=*/false, {{0, 0, own.size()}});
  }
  // Cells of the globe are taken extent by extent: a gap as long as a chunk begins another one.
  const std::vector<std::int64_t>& kept = grid_->globe_cells();
  const std::int64_t chunk = grid_->globe().layout().chunk_cells;
  comm::Range extent;
  std::vector<Run> runs;
  for (auto i = std::max(cells.begin, num_region); i < cells.end; ++i) {
    const std::int64_t cell = kept[static_cast<std::size_t>(i - num_region)];
    if (!runs.empty() && cell - extent.end >= chunk) {
      add_part(extent, /*of_globe=*/true, std::exchange(runs, {}));
    }
    if (runs.empty()) extent = {cell, cell};
    if (runs.empty() || cell > extent.end) {
      runs.push_back({cell - extent.begin, i - cells.begin, 0});
    }
    ++runs.back().count;
    extent.end = cell + 1;
  }
  if (!runs.empty()) add_part(extent, /*of_globe=*/true, std::move(runs));
}

void CutoutReader::add_part(comm::Range of_member, bool of_globe, std::vector<Run> runs) {
  const auto& index = of_globe ? grid_->globe_index() : grid_->region_index();
  parts_.push_back(
      {ShardReader(index, of_member, options_, *operations_, *clock_), of_globe, std::move(runs)});
}

std::int64_t CutoutReader::row_of(const Part& part, std::int64_t row) const noexcept {
  return part.of_globe ? grid_->globe_row(row) : row;
}

std::int64_t CutoutReader::row_bytes(DType dtype) const {
  const auto& info = grid_->info();
  return info.num_variables() * info.num_ensembles * cells_.size() * size_of(dtype);
}

void CutoutReader::prefetch(std::int64_t row) {
  for (Part& part : parts_) part.reader.prefetch(row_of(part, row));
}

void CutoutReader::read(std::int64_t row,
                        const RowTarget& target,
                        std::span<const Affine> normaliser) {
  if (static_cast<std::int64_t>(target.bytes.size()) < row_bytes(target.dtype)) {
    throw Error(Errc::kShapeMismatch, "memory is too small for a row of the shard")
        .with("expected_bytes", row_bytes(target.dtype))
        .with("found_bytes", target.bytes.size());
  }
  const auto& info = grid_->info();
  // Rows of cells side by side: [var, ens, cell], or [ens, cell] of all variables at once.
  const bool by_cell = target.layout == RowLayout::kCellVariable;
  const std::int64_t num_strips = info.num_ensembles * (by_cell ? 1 : info.num_variables());
  const std::int64_t cell_bytes = size_of(target.dtype) * (by_cell ? info.num_variables() : 1);
  for (Part& part : parts_) {
    const auto bytes = static_cast<std::size_t>(part.reader.row_bytes(target.dtype));
    scratch_.resize(std::max(scratch_.size(), bytes));
    part.reader.read(
        row_of(part, row),
        {.bytes = std::span(scratch_).first(bytes), .dtype = target.dtype, .layout = target.layout},
        normaliser);
    for (std::int64_t strip = 0; strip < num_strips; ++strip) {
      const std::int64_t from = strip * part.reader.cells().size();
      const std::int64_t to = strip * cells_.size();
      for (const Run& run : part.runs) {
        std::memcpy(target.bytes.data() + (to + run.to) * cell_bytes,
                    scratch_.data() + (from + run.from) * cell_bytes,
                    static_cast<std::size_t>(run.count * cell_bytes));
      }
    }
  }
  ++rows_read_;
}

void CutoutReader::check_unchanged() const {
  for (const Part& part : parts_) part.reader.check_unchanged();
}

ReadCounters CutoutReader::counters() const {
  ReadCounters sum{.rows = rows_read_,
                   .useful_bytes = rows_read_ * row_bytes(DType::kFloat32),
                   .extra_bytes = -rows_read_ * row_bytes(DType::kFloat32)};
  for (const Part& part : parts_) {
    const ReadCounters& of_part = part.reader.counters();
    sum.extra_bytes += of_part.useful_bytes + of_part.extra_bytes;
    sum.nans += of_part.nans;
    sum.infinities += of_part.infinities;
  }
  return sum;
}

}  // namespace askos::io
