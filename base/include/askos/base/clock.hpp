// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace askos {

using Nanoseconds = std::chrono::nanoseconds;

/// Tells the time to whatever waits or measures, so that a test can put another time in its place.
///
/// `now` may be called from any thread and never goes back.
class Clock {
 public:
  virtual ~Clock() = default;

  /// Returns the time since an arbitrary origin that is fixed for the process.
  [[nodiscard]] virtual Nanoseconds now() const noexcept = 0;

  /// Blocks the calling thread until `now() >= when`.
  virtual void sleep_until(Nanoseconds when) = 0;
};

/// Returns the machine's monotonic clock; it lives as long as the process.
[[nodiscard]] Clock& steady_clock() noexcept;

/// Stands still until a test moves it; sleepers wake when it has passed their time.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds now() const noexcept override;
  void sleep_until(Nanoseconds when) override;

  /// Moves the time forward by `step` and wakes the sleepers that are due.
  void advance(Nanoseconds step);

 private:
  std::atomic<Nanoseconds::rep> now_{0};
  std::mutex mutex_;
  std::condition_variable moved_;
};

}  // namespace askos
