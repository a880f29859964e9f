// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/telemetry/trace.hpp>
#include <askos/telemetry/trace_ring.hpp>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace askos::telemetry {

/// The trace rings of all threads that work for one session.
class TraceLog {
 public:
  static constexpr std::size_t kDefaultCapacity = std::size_t{1} << 14;
  static constexpr std::size_t kOperatorCapacity = std::size_t{1} << 16;

  /// Every thread keeps its newest `records_per_thread` records, 32 bytes each, and as many
  /// operators as `operators_per_thread` once there are any.
  explicit TraceLog(std::size_t records_per_thread = kDefaultCapacity,
                    std::size_t operators_per_thread = kOperatorCapacity);

  /// Returns the calling thread's ring, made on its first call. It lives as long as the log; cheap
  /// while a thread works for one log at a time.
  [[nodiscard]] TraceRing& ring();

  /// Records an operator of stage `stage` that the calling thread has run between two ticks. It
  /// keeps them apart: however many there are, they push out nothing but older operators.
  void record_operator(std::uint16_t stage,
                       std::string_view name,
                       std::uint64_t began,
                       std::uint64_t ended);

  /// Counts operators that are pushed out from now on.
  void begin_operators();

  struct Contents {
    std::vector<TraceEvent> events{};      ///< sorted by their end
    std::vector<std::string> operators{};  ///< names, by `TraceEvent::detail`
    std::int64_t num_lost_operators = 0;   ///< pushed out since `begin_operators`
  };
  /// Copies what all threads recorded and ended after `since` (steady clock). Any thread.
  [[nodiscard]] Contents read(Nanoseconds since = Nanoseconds::min()) const;

  /// Tells the duration of a tick in nanoseconds, measured since the log was made.
  [[nodiscard]] double nanoseconds_per_tick() const;

 private:
  struct OperatorRing {
    explicit OperatorRing(std::size_t capacity) : ring(capacity) {}

    TraceRing ring;
    std::uint64_t num_before = 0;  // recorded before `begin_operators`
  };

  [[nodiscard]] TraceRing& operator_ring();
  [[nodiscard]] std::uint32_t number_of(std::string_view name);

  const std::uint64_t id_;
  const std::size_t capacity_;
  const std::size_t operator_capacity_;
  const std::uint64_t origin_;
  const std::chrono::steady_clock::time_point origin_time_;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::thread::id, TraceRing> rings_;
  std::map<std::thread::id, OperatorRing> operator_rings_;
  std::map<std::string, std::uint32_t, std::less<>> operator_numbers_;
};

}  // namespace askos::telemetry
