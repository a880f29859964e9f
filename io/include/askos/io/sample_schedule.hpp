// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/id.hpp>

#include <compare>
#include <cstdint>
#include <vector>

namespace askos::io {

struct ScheduleOptions {
  std::int64_t num_samples = 0;  ///< for instance `WindowIndex::size()`
  std::int64_t batch_size = 1;   ///< samples of one step, over all groups
  int num_groups = 1;            ///< data-parallel groups that share them
  std::uint64_t seed = 0;
  bool shuffle = true;  ///< else in order, for evaluation
};

/// Where a run stands: `sample` samples of epoch `epoch` are behind it. Written to checkpoints.
struct SchedulePosition {
  std::int64_t epoch = 0;
  std::int64_t sample = 0;

  auto operator<=>(const SchedulePosition&) const = default;
};

/// One entry of a group's share of a step.
struct ScheduledSample {
  SampleId id{-1};          ///< counts the samples of the run; -1 for a null sample
  std::int64_t index = -1;  ///< which sample, 0, ..., num_samples - 1; -1 for a null sample
  double weight = 0;        ///< 1, or 0 for a null sample

  [[nodiscard]] bool is_null() const noexcept { return index < 0; }
  bool operator==(const ScheduledSample&) const = default;
};

/// Says which samples each group computes in each step; holds no state, so any rank can ask for any
/// position, and all agree without a word.
///
/// Each epoch is a permutation of all samples that depends on seed and epoch alone; a step takes
/// the next `batch_size` of them, the last one what is left. A step's samples are cut into balanced
/// shares of neighbours, one per group. Every group has the same number of slots in every step; the
/// slots that are left hold null samples of weight 0, so that all groups enter the same
/// collectives. No sample is dropped, none is seen twice in an epoch.
class SampleSchedule {
 public:
  /// Throws one `Errc::kInvalidInput` for a batch, group or sample count that is not positive.
  explicit SampleSchedule(const ScheduleOptions& options);

  [[nodiscard]] const ScheduleOptions& options() const noexcept { return options_; }
  [[nodiscard]] std::int64_t steps_per_epoch() const noexcept;
  /// Entries of every group in every step.
  [[nodiscard]] std::int64_t slots_per_group() const noexcept;

  /// Returns `slots_per_group()` entries: what `group` computes in the step at `at`. Throws
  /// `Errc::kInvalidInput` if there is no such group or position.
  [[nodiscard]] std::vector<ScheduledSample> share(SchedulePosition at, int group) const;

  /// Returns the position after the step at `at`; the next epoch begins when all samples are done.
  /// A position taken with another batch size or number of groups is fine.
  [[nodiscard]] SchedulePosition after(SchedulePosition at) const;

 private:
  void check(SchedulePosition at) const;

  ScheduleOptions options_;
};

}  // namespace askos::io
