// SPDX-License-Identifier: Apache-2.0
#include <askos/telemetry/trace_log.hpp>

#include <algorithm>

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

std::vector<TraceRecord> TraceLog::snapshot() const {
  std::vector<TraceRecord> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [thread, ring] : rings_) {
      const auto records = ring.snapshot();
      all.insert(all.end(), records.begin(), records.end());
    }
  }
  std::ranges::stable_sort(all, {}, &TraceRecord::end);
  return all;
}

double TraceLog::nanoseconds_per_tick() const {
  const std::chrono::duration<double, std::nano> time =
      std::chrono::steady_clock::now() - origin_time_;
  const auto passed = static_cast<double>(ticks() - origin_);
  return passed > 0 ? time.count() / passed : 1;
}

}  // namespace askos::telemetry
