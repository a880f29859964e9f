// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"

#include <askos/telemetry/trace_ring.hpp>

#include <cstdint>
#include <string>

namespace askos::comm {

/// Work of a backend that can tell when it was complete, however late somebody waits for it.
class TimedWork : public Work {
 public:
  /// Returns the tick (`telemetry::ticks`) at which it was complete on this rank; 0 before.
  [[nodiscard]] virtual std::uint64_t finished_at() const noexcept = 0;
};

/// A collective from the moment of its call, for the trace of the stage that makes it.
class TracedCall {
 public:
  /// `sequence` is its place in the order of the group called `group`.
  TracedCall(CallKind kind, const std::string& group, std::uint32_t sequence);

  /// Returns `work`, recorded when somebody has waited for it or it dies.
  [[nodiscard]] WorkPtr follow(WorkPtr work) const;

  /// Records it as complete at the tick `ended`, or at its beginning if that is later.
  void record(std::uint64_t ended) const noexcept;

 private:
  CallKind kind_;
  std::uint64_t group_;
  std::uint32_t sequence_;
  std::uint64_t began_ = telemetry::ticks();
};

}  // namespace askos::comm
