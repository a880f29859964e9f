// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/partition.hpp>
#include <askos/io/keyed_permutation.hpp>
#include <askos/io/sample_schedule.hpp>

#include <algorithm>

namespace askos::io {

SampleSchedule::SampleSchedule(const ScheduleOptions& options) : options_(options) {
  if (options.num_samples < 1 || options.batch_size < 1 || options.num_groups < 1) {
    throw Error(Errc::kInvalidInput, "schedule needs samples, a batch size and groups")
        .with("samples", options.num_samples)
        .with("batch_size", options.batch_size)
        .with("groups", options.num_groups);
  }
}

std::int64_t SampleSchedule::steps_per_epoch() const noexcept {
  return (options_.num_samples + options_.batch_size - 1) / options_.batch_size;
}

std::int64_t SampleSchedule::slots_per_group() const noexcept {
  return (std::min(options_.batch_size, options_.num_samples) + options_.num_groups - 1) /
         options_.num_groups;
}

void SampleSchedule::check(SchedulePosition at) const {
  if (at.epoch < 0 || at.sample < 0 || at.sample >= options_.num_samples) {
    throw Error(Errc::kInvalidInput, "schedule has no such position")
        .with("epoch", at.epoch)
        .with("sample", at.sample)
        .with("samples", options_.num_samples);
  }
}

std::vector<ScheduledSample> SampleSchedule::share(SchedulePosition at, int group) const {
  check(at);
  const std::int64_t count = std::min(options_.batch_size, options_.num_samples - at.sample);
  const comm::Range mine = comm::balanced_range(count, options_.num_groups, group);
  const KeyedPermutation order(options_.num_samples, options_.seed, at.epoch);
  std::vector<ScheduledSample> samples(static_cast<std::size_t>(slots_per_group()));
  for (std::int64_t i = mine.begin; i < mine.end; ++i) {
    const std::int64_t position = at.sample + i;
    samples[static_cast<std::size_t>(i - mine.begin)] = {
        SampleId{at.epoch * options_.num_samples + position},
        options_.shuffle ? order(position) : position, 1};
  }
  return samples;
}

SchedulePosition SampleSchedule::after(SchedulePosition at) const {
  check(at);
  at.sample += options_.batch_size;
  return at.sample < options_.num_samples ? at : SchedulePosition{at.epoch + 1, 0};
}

}  // namespace askos::io
