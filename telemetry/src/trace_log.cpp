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

/// The calling thread's rings in a log.
struct RememberedRing {
  std::uint64_t log_id = 0;
  TraceRing* ring = nullptr;
};
thread_local RememberedRing remembered;
thread_local RememberedRing remembered_operators;

}  // namespace

TraceLog::TraceLog(std::size_t records_per_thread, std::size_t operators_per_thread)
    : id_(next_log_id()),
      capacity_(records_per_thread),
      operator_capacity_(operators_per_thread),
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

TraceRing& TraceLog::operator_ring() {
  if (remembered_operators.log_id != id_) {
    const std::lock_guard lock(mutex_);
    const auto [found, made] =
        operator_rings_.try_emplace(std::this_thread::get_id(), operator_capacity_);
    remembered_operators = {id_, &found->second.ring};
  }
  return *remembered_operators.ring;
}

std::uint32_t TraceLog::number_of(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = operator_numbers_.find(name);
  if (found != operator_numbers_.end()) return found->second;
  const auto number = static_cast<std::uint32_t>(operator_numbers_.size());
  operator_numbers_.emplace(name, number);
  return number;
}

void TraceLog::record_operator(std::uint16_t stage,
                               std::string_view name,
                               std::uint64_t began,
                               std::uint64_t ended) {
  operator_ring().record({.end = ended,
                          .stage = stage,
                          .kind = TraceKind::kOperator,
                          .detail = number_of(name),
                          .duration = ended - began});
}

void TraceLog::begin_operators() {
  const std::lock_guard lock(mutex_);
  for (auto& [thread, operators] : operator_rings_) {
    operators.num_before = operators.ring.num_recorded();
  }
}

TraceLog::Contents TraceLog::read(Nanoseconds since) const {
  // One scale for all: rounding is monotone, so what nests in ticks nests in nanoseconds.
  const double ns = nanoseconds_per_tick();
  const Nanoseconds origin = origin_time_.time_since_epoch();
  const auto since_tick = since <= origin
                              ? 0
                              : origin_ + static_cast<std::uint64_t>(
                                              static_cast<double>((since - origin).count()) / ns);
  const auto time_of = [&](std::uint64_t tick) {
    // A tick may be a little older than the log.
    const auto passed = static_cast<std::int64_t>(tick - origin_);
    return origin.count() + std::llround(static_cast<double>(passed) * ns);
  };
  Contents contents;
  const auto append = [&](const TraceRing& ring) {
    for (const auto& record : ring.snapshot(since_tick)) {
      const auto start = time_of(record.end - record.duration);
      contents.events.push_back({.start_ns = start,
                                 .duration_ns = time_of(record.end) - start,
                                 .track = record.stage,
                                 .kind = record.kind,
                                 .flags = record.flags,
                                 .detail = record.detail,
                                 .id = record.id});
    }
  };
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [thread, ring] : rings_) append(ring);
    for (const auto& [thread, operators] : operator_rings_) {
      append(operators.ring);
      const auto num_recorded = operators.ring.num_recorded() - operators.num_before;
      if (num_recorded > operators.ring.capacity()) {
        contents.num_lost_operators +=
            static_cast<std::int64_t>(num_recorded - operators.ring.capacity());
      }
    }
    contents.operators.resize(operator_numbers_.size());
    for (const auto& [name, number] : operator_numbers_) contents.operators[number] = name;
  }
  std::ranges::stable_sort(contents.events, {}, &TraceEvent::end_ns);
  return contents;
}

double TraceLog::nanoseconds_per_tick() const {
  const std::chrono::duration<double, std::nano> time =
      std::chrono::steady_clock::now() - origin_time_;
  const auto passed = static_cast<double>(ticks() - origin_);
  return passed > 0 ? time.count() / passed : 1;
}

}  // namespace askos::telemetry
