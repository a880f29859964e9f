// SPDX-License-Identifier: Apache-2.0
#include "time_limit.hpp"

#include <askos/base/error.hpp>

#include <algorithm>

namespace askos::apps {
namespace {

/// For what is not measured: ending threads, the metrics, a busy disk.
constexpr Nanoseconds kMargin = std::chrono::seconds(10);

}  // namespace

TimeLimit::TimeLimit(Nanoseconds limit, Clock& clock)
    : clock_(&clock), end_(clock.now() + limit), margin_(std::min(kMargin, limit / 10)) {
  if (limit <= Nanoseconds(0)) {
    throw Error(Errc::kUsage, "time limit is not positive")
        .with("--time-limit", format_duration(limit));
  }
}

void TimeLimit::note_step() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_->now();
  if (last_step_at_) longest_step_ = std::max(longest_step_, now - *last_step_at_);
  last_step_at_ = now;
}

void TimeLimit::note_checkpoint(Nanoseconds took) {
  const std::lock_guard lock(mutex_);
  longest_checkpoint_ = std::max(longest_checkpoint_, took);
}

bool TimeLimit::is_near() const {
  const std::lock_guard lock(mutex_);
  return clock_->now() + 2 * longest_step_ + 2 * longest_checkpoint_ + margin_ >= end_;
}

}  // namespace askos::apps
