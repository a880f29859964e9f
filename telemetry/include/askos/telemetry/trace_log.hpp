// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/telemetry/trace_ring.hpp>

#include <filesystem>
#include <iosfwd>
#include <map>
#include <mutex>
#include <string>
#include <thread>

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

  /// Copies the records of all threads, sorted by their end. Any thread.
  [[nodiscard]] std::vector<TraceRecord> snapshot() const;

  /// Tells the duration of a tick in nanoseconds, measured since the log was made.
  [[nodiscard]] double nanoseconds_per_tick() const;

  /// The tick at which the log was made: the zero of every written trace.
  [[nodiscard]] std::uint64_t origin() const noexcept { return origin_; }

 private:
  const std::uint64_t id_;
  const std::size_t capacity_;
  const std::uint64_t origin_;
  const std::chrono::steady_clock::time_point origin_time_;
  mutable std::mutex mutex_;
  std::map<std::thread::id, TraceRing> rings_;
};

/// Names one track of a written trace.
struct TraceTrack {
  int rank = 0;
  std::string name;
};

/// Writes what is in `log` as Chrome trace JSON, readable by Perfetto and Kineto's tools: one
/// process per rank, one track per stage (`tracks[record.stage]`), times in microseconds.
void write_chrome_trace(const TraceLog& log,
                        const std::vector<TraceTrack>& tracks,
                        std::ostream& out);

/// As above, into a file. Throws `Errc::kEnvironment` if it cannot be written.
void write_chrome_trace(const TraceLog& log,
                        const std::vector<TraceTrack>& tracks,
                        const std::filesystem::path& path);

}  // namespace askos::telemetry
