// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

#include <mutex>
#include <optional>

namespace askos::apps {

/// Tells when a training must end so that its last checkpoint is complete before a limit. Any
/// thread.
///
/// From the request to end until the process is gone it takes the step under way and one more, a
/// snapshot that is being written, the last one, and a margin; times are the longest seen so far.
class TimeLimit {
 public:
  /// Counts from now, on `clock`.
  TimeLimit(Nanoseconds limit, Clock& clock);

  /// A step is done; the first of them only starts the measurement.
  void note_step();
  /// A checkpoint has taken so long.
  void note_checkpoint(Nanoseconds took);
  [[nodiscard]] bool is_near() const;

 private:
  Clock* clock_;
  Nanoseconds end_;
  Nanoseconds margin_;
  mutable std::mutex mutex_;
  std::optional<Nanoseconds> last_step_at_;
  Nanoseconds longest_step_{};
  Nanoseconds longest_checkpoint_{};
};

}  // namespace askos::apps
