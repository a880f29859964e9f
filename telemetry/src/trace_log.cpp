// SPDX-License-Identifier: Apache-2.0
#include <askos/telemetry/trace_log.hpp>

#include <algorithm>
#include <cmath>

namespace askos::telemetry {
namespace {

/// Numbers logs, so that a thread's remembered ring is never one of a log that is gone.
std::uint64_t next_log_id() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

struct RememberedRing {
  std::uint64_t log_id = 0;
  TraceRing* ring = nullptr;
};
thread_local RememberedRing remembered;

}  // namespace

TraceLog::TraceLog(std::size_t records_per_thread)
    : id_(next_log_id()),
      capacity_(records_per_thread),
      origin_(ticks()),
      origin_time_(std::chrono::steady_clock::now()) {}

TraceRing& TraceLog::ring() {
  if (remembered.log_id != id_) {
    const std::lock_guard lock(mutex_);
    const auto [found, made] = rings_.try_emplace(std::this_thread::get_id(), capacity_);
    remembered = {id_, &found->second};
  }
  return *remembered.ring;
}

std::vector<TraceEvent> TraceLog::events(Nanoseconds since) const {
  const double ns = nanoseconds_per_tick();
  const Nanoseconds origin = origin_time_.time_since_epoch();
  const auto since_tick = since <= origin
                              ? 0
                              : origin_ + static_cast<std::uint64_t>(
                                              static_cast<double>((since - origin).count()) / ns);
  std::vector<TraceEvent> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [thread, ring] : rings_) {
      for (const auto& record : ring.snapshot(since_tick)) {
        // A tick may be a little older than the log. Rounding is monotone, so what nests in ticks
        // nests in nanoseconds.
        const auto time_of = [&](std::uint64_t tick) {
          const auto passed = static_cast<std::int64_t>(tick - origin_);
          return origin.count() + std::llround(static_cast<double>(passed) * ns);
        };
        const auto start = time_of(record.end - record.duration);
        all.push_back({.start_ns = start,
                       .duration_ns = time_of(record.end) - start,
                       .track = record.stage,
                       .kind = record.kind,
                       .flags = record.flags,
                       .detail = record.detail,
                       .id = record.id});
      }
    }
  }
  std::ranges::stable_sort(all, {}, &TraceEvent::end_ns);
  return all;
}

double TraceLog::nanoseconds_per_tick() const {
  const std::chrono::duration<double, std::nano> time =
      std::chrono::steady_clock::now() - origin_time_;
  const auto passed = static_cast<double>(ticks() - origin_);
  return passed > 0 ? time.count() / passed : 1;
}

}  // namespace askos::telemetry
