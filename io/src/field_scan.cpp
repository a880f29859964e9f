// SPDX-License-Identifier: Apache-2.0
#include "field_scan.hpp"

#include "statistics_sum.hpp"

#include <askos/io/crc32c.hpp>

#include <cmath>
#include <limits>
#include <utility>

namespace askos::io {
namespace {

class Scanner {
 public:
  Scanner(const File& file,
          const FieldLayout& layout,
          const ChunkOffset& offset_of,
          const std::vector<std::uint8_t>& row_present,
          comm::Range statistics_rows,
          const Progress& progress)
      : file_(file),
        layout_(layout),
        offset_of_(offset_of),
        row_present_(row_present),
        statistics_rows_(statistics_rows),
        progress_(progress),
        sums_(static_cast<std::size_t>(layout.num_variables)),
        tendency_sums_(sums_.size()) {
    const auto chunk_values = static_cast<std::size_t>(layout.chunk_bytes()) / sizeof(float);
    now_.resize(chunk_values);
    before_.resize(chunk_values);
    const auto rows = static_cast<std::size_t>(layout.num_rows);
    scan_.chunk_crc.resize(rows * static_cast<std::size_t>(layout.chunks_per_row()));
    scan_.nan_count.resize(rows * sums_.size());
    scan_.infinite.resize(sums_.size());
  }

  FieldScan run() {
    for (std::int64_t chunk = 0; chunk < layout_.chunks_per_row(); ++chunk) {
      scan_column(chunk);
    }
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      scan_.statistics.push_back(sums_[i].result());
      scan_.tendencies.push_back(tendency_sums_[i].result());
    }
    return std::move(scan_);
  }

 private:
  bool present(std::int64_t row) const {
    return row >= 0 && row_present_[static_cast<std::size_t>(row)] != 0;
  }
  bool in_statistics(std::int64_t row) const {
    return row >= statistics_rows_.begin && row < statistics_rows_.end;
  }

  void scan_column(std::int64_t chunk) {
    for (std::int64_t row = 0; row < layout_.num_rows; ++row) {
      if (progress_) {
        progress_("checking", chunk * layout_.num_rows + row,
                  layout_.num_rows * layout_.chunks_per_row());
      }
      const std::int64_t offset = present(row) ? offset_of_(row, chunk) : -1;
      if (offset < 0) {
        continue;
      }
      std::swap(now_, before_);
      file_.read(offset, std::as_writable_bytes(std::span(now_)));
      const auto at = static_cast<std::size_t>(row * layout_.chunks_per_row() + chunk);
      scan_.chunk_crc[at] = crc32c(std::as_bytes(std::span(now_)));
      const bool follows = in_statistics(row) && in_statistics(row - 1) && present(row - 1) &&
                           offset_of_(row - 1, chunk) >= 0;
      for (std::int64_t strip = 0; strip < layout_.num_strips(); ++strip) {
        scan_strip(row, chunk, strip, follows);
      }
    }
  }

  void scan_strip(std::int64_t row, std::int64_t chunk, std::int64_t strip, bool follows) {
    const auto variable = static_cast<std::size_t>(strip / layout_.num_ensembles);
    const auto begin = static_cast<std::size_t>(strip * layout_.chunk_cells);
    const auto count = static_cast<std::size_t>(layout_.chunk_range(chunk).size());
    values_.resize(count);
    std::uint32_t nans = 0;
    std::int64_t infinite = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double value = now_[begin + i];
      nans += std::isnan(value) ? 1 : 0;
      infinite += std::isinf(value) ? 1 : 0;
      values_[i] = value;
    }
    scan_.nan_count[static_cast<std::size_t>(row) * sums_.size() + variable] += nans;
    scan_.infinite[variable] += infinite;
    if (in_statistics(row)) {
      sums_[variable].add(values_);
    }
    if (follows) {
      for (std::size_t i = 0; i < count; ++i) {
        values_[i] -= double{before_[begin + i]};
      }
      tendency_sums_[variable].add(values_);
    }
  }

  const File& file_;
  const FieldLayout& layout_;
  const ChunkOffset& offset_of_;
  const std::vector<std::uint8_t>& row_present_;
  comm::Range statistics_rows_;
  const Progress& progress_;
  std::vector<StatisticsSum> sums_;
  std::vector<StatisticsSum> tendency_sums_;
  std::vector<float> now_;
  std::vector<float>
      before_;  // the chunk that was read before: of the row before, if that is present
  std::vector<double> values_;
  FieldScan scan_;
};

}  // namespace

FieldScan scan_fields(const File& file,
                      const FieldLayout& layout,
                      const ChunkOffset& offset_of,
                      const std::vector<std::uint8_t>& row_present,
                      comm::Range statistics_rows,
                      const Progress& progress) {
  return Scanner(file, layout, offset_of, row_present, statistics_rows, progress).run();
}

}  // namespace askos::io
