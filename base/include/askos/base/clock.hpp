// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>

namespace askos {

using Nanoseconds = std::chrono::nanoseconds;

/// Reads `5 ms`, `1.5s`, `200 us`, `30 min`; the unit is one of ns, us, ms, s, min, h. Throws
/// `Errc::kInvalidInput` on anything else, a negative number included.
[[nodiscard]] Nanoseconds parse_duration(std::string_view text);

/// Prints without loss in the largest unit that leaves a whole number: `5 ms`, `1500 us`, `0 s`.
[[nodiscard]] std::string format_duration(Nanoseconds duration);

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
