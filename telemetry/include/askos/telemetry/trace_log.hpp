// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/telemetry/trace.hpp>
#include <askos/telemetry/trace_ring.hpp>

#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace askos::telemetry {

/// The trace rings of all threads that work for one session.
class TraceLog {
 public:
  static constexpr std::size_t kDefaultCapacity = std::size_t{1} << 14;

  /// Every thread keeps its newest `records_per_thread` records, 32 bytes each.
  explicit TraceLog(std::size_t records_per_thread = kDefaultCapacity);

  /// Returns the calling thread's ring, made on its first call. It lives as long as the log; cheap
  /// while a thread works for one log at a time.
  [[nodiscard]] TraceRing& ring();

  /// Copies the records of all threads that ended after `since` (steady clock), sorted by their
  /// end. Any thread.
  [[nodiscard]] std::vector<TraceEvent> events(Nanoseconds since = Nanoseconds::min()) const;

  /// Tells the duration of a tick in nanoseconds, measured since the log was made.
  [[nodiscard]] double nanoseconds_per_tick() const;

 private:
  const std::uint64_t id_;
  const std::size_t capacity_;
  const std::uint64_t origin_;
  const std::chrono::steady_clock::time_point origin_time_;
  mutable std::mutex mutex_;
  std::map<std::thread::id, TraceRing> rings_;
};

}  // namespace askos::telemetry
