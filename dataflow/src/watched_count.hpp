// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace askos::dataflow {

/// A count that only grows, and that somebody may watch: count and watch are one word, so whoever
/// counts either has counted before the watch began, or sees it and has to tell. Nobody sleeps on
/// a count that was already there, and no second flag needs a fence.
///
/// Counting releases what was written before, reading acquires it. All steps are of one atomic
/// word, so a reader also acquires what earlier counters released.
class WatchedCount {
 public:
  explicit WatchedCount(std::int64_t count = 0) noexcept : word_(count * kOne) {}

  [[nodiscard]] std::int64_t count() const noexcept {
    return word_.load(std::memory_order_acquire) / kOne;
  }

  /// Counts one up; returns false, having done nothing, if somebody watches.
  [[nodiscard]] bool try_increment() noexcept {
    auto word = word_.load(std::memory_order_relaxed);
    while (word % kOne == 0) {
      if (word_.compare_exchange_weak(word, word + kOne, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  /// Counts up, watched or not.
  void add(std::int64_t number) noexcept {
    word_.fetch_add(number * kOne, std::memory_order_acq_rel);
  }

  void watch() noexcept { word_.fetch_or(kWatched, std::memory_order_acq_rel); }
  void unwatch() noexcept { word_.fetch_and(~kWatched, std::memory_order_acq_rel); }

 private:
  static constexpr std::int64_t kWatched = 1;
  static constexpr std::int64_t kOne = 2;

  std::atomic<std::int64_t> word_;
};

}  // namespace askos::dataflow
