// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>

#include <cstdint>
#include <vector>

namespace askos::io {

/// Rows that a sample needs, relative to its anchor: one step ahead from two is `{{-1, 0}, {1}}`,
/// four steps of rollout `{{-1, 0}, {1, 2, 3, 4}}`.
struct WindowShape {
  std::vector<std::int64_t> inputs{-1, 0};
  std::vector<std::int64_t> targets{1};
};

/// Lists the anchors whose whole window exists: no row out of bounds, none missing. Immutable; any
/// thread.
class WindowIndex {
 public:
  /// `rows_present` is `DatasetIndex::rows_present()`. Only anchors count whose targets all lie in
  /// `target_rows`; inputs may lie before it. Throws `Errc::kInvalidInput` if `shape` is empty or
  /// repeats an offset.
  WindowIndex(const std::vector<std::uint8_t>& rows_present,
              WindowShape shape,
              comm::Range target_rows);

  /// Number of samples.
  [[nodiscard]] std::int64_t size() const noexcept {
    return static_cast<std::int64_t>(anchors_.size());
  }
  [[nodiscard]] const WindowShape& shape() const noexcept { return shape_; }
  /// Row of offset 0 of sample `index`; anchors increase with the index.
  [[nodiscard]] std::int64_t anchor(std::int64_t index) const;
  [[nodiscard]] std::vector<std::int64_t> input_rows(std::int64_t index) const;
  [[nodiscard]] std::vector<std::int64_t> target_rows(std::int64_t index) const;
  /// All rows of the window, inputs first, in the order of the shape.
  [[nodiscard]] std::vector<std::int64_t> rows(std::int64_t index) const;

 private:
  WindowShape shape_;
  std::vector<std::int64_t> anchors_;
};

}  // namespace askos::io
