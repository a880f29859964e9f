// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/window_index.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace askos::io {
namespace {

std::vector<std::int64_t> shifted(std::vector<std::int64_t> offsets, std::int64_t anchor) {
  for (std::int64_t& offset : offsets) {
    offset += anchor;
  }
  return offsets;
}

}  // namespace

WindowIndex::WindowIndex(const std::vector<std::uint8_t>& rows_present,
                         WindowShape shape,
                         comm::Range target_rows)
    : shape_(std::move(shape)) {
  const std::set<std::int64_t> inputs(shape_.inputs.begin(), shape_.inputs.end());
  const std::set<std::int64_t> targets(shape_.targets.begin(), shape_.targets.end());
  if (inputs.size() + targets.size() == 0 || inputs.size() != shape_.inputs.size() ||
      targets.size() != shape_.targets.size()) {
    throw Error(Errc::kInvalidInput, "window names no rows, or one of them twice")
        .with("inputs", shape_.inputs.size())
        .with("targets", shape_.targets.size());
  }
  const auto num_rows = static_cast<std::int64_t>(rows_present.size());
  const auto is_there = [&](std::int64_t row) {
    return row >= 0 && row < num_rows && rows_present[static_cast<std::size_t>(row)] != 0;
  };
  const auto is_wanted = [&](std::int64_t row) {
    return is_there(row) && row >= target_rows.begin && row < target_rows.end;
  };
  // Offsets may shift a window by any amount: look at every anchor that any offset can reach.
  std::set<std::int64_t> offsets = inputs;
  offsets.insert(targets.begin(), targets.end());
  for (std::int64_t anchor = -*offsets.rbegin(); anchor < num_rows - *offsets.begin(); ++anchor) {
    if (std::ranges::all_of(shifted(shape_.inputs, anchor), is_there) &&
        std::ranges::all_of(shifted(shape_.targets, anchor), is_wanted)) {
      anchors_.push_back(anchor);
    }
  }
}

std::int64_t WindowIndex::anchor(std::int64_t index) const {
  if (index < 0 || index >= size()) {
    throw Error(Errc::kInvalidInput, "no such sample").with("index", index).with("samples", size());
  }
  return anchors_[static_cast<std::size_t>(index)];
}

std::vector<std::int64_t> WindowIndex::input_rows(std::int64_t index) const {
  return shifted(shape_.inputs, anchor(index));
}

std::vector<std::int64_t> WindowIndex::target_rows(std::int64_t index) const {
  return shifted(shape_.targets, anchor(index));
}

std::vector<std::int64_t> WindowIndex::rows(std::int64_t index) const {
  std::vector<std::int64_t> all = input_rows(index);
  const std::vector<std::int64_t> targets = target_rows(index);
  all.insert(all.end(), targets.begin(), targets.end());
  return all;
}

}  // namespace askos::io
