// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace askos::telemetry {

/// Reads the cheapest clock of the machine: the time stamp counter on x86-64 (assumed constant and
/// synchronous, as on every server since 2008), else the monotonic clock in nanoseconds.
[[nodiscard]] inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/// What a trace record tells of.
enum class TraceKind : std::uint8_t {
  kRun,  ///< runs of a stage: `detail` of them in a row, the first one for `id`
  /// a wait of a stage; `flags` is its `State`; for input and credit `detail` is its port or its
  /// n-th edge, all others lie within a run
  kWait,
  kFailure,  ///< an exception left a stage; `flags` is the policy that dealt with it
  /// a collective of a stage, from entering it until it was complete; `flags` is its operation (see
  /// `collective_name`), `id` its group, `detail` its place in the group's order
  kCollective,
  kOperator,  ///< an operator of a numeric library within a run; `detail` is the number of its name
};

/// One event of a stage, 32 bytes.
struct TraceRecord {
  std::uint64_t end = 0;  ///< when it was over, in `ticks`
  std::uint16_t stage = 0;
  TraceKind kind = TraceKind::kRun;
  std::uint8_t flags = 0;
  std::uint32_t detail = 0;    ///< by kind
  std::uint64_t id = 0;        ///< sample that it is about
  std::uint64_t duration = 0;  ///< in `ticks`

  bool operator==(const TraceRecord&) const = default;
};
static_assert(sizeof(TraceRecord) == 32);

/// Keeps the newest records of one thread. That thread writes; any thread copies, without stopping
/// it. Always on: a record costs a few stores.
class TraceRing {
 public:
  /// Rounds `capacity` up to a power of two.
  explicit TraceRing(std::size_t capacity);

  void record(const TraceRecord& record) noexcept;

  /// Copies the records that are still there and ended after the tick `since`, oldest first; what
  /// is overwritten meanwhile is left out.
  [[nodiscard]] std::vector<TraceRecord> snapshot(std::uint64_t since = 0) const;

  [[nodiscard]] std::uint64_t num_recorded() const noexcept {
    return written_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return mask_ + 1; }

 private:
  using Slot = std::array<std::atomic<std::uint64_t>, 4>;

  [[nodiscard]] TraceRecord copy(std::uint64_t index) const noexcept;

  std::size_t mask_;
  std::unique_ptr<Slot[]> slots_;
  std::atomic<std::uint64_t> begun_{0};    // a slot below this may be half written
  std::atomic<std::uint64_t> written_{0};  // a slot below this is complete
};

}  // namespace askos::telemetry
