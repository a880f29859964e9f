// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/telemetry/trace.hpp>

#include <vector>

namespace askos::telemetry {

/// A stretch of time on the steady clock.
struct Stretch {
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;

  bool operator==(const Stretch&) const = default;
};

/// How much of a rank's communication was hidden behind work.
struct Overlap {
  int rank = 0;
  Nanoseconds communication{};  ///< at least one collective was under way
  Nanoseconds overlapped{};     ///< … and at least one stage was busy
  Nanoseconds busy{};           ///< at least one stage was busy

  [[nodiscard]] Nanoseconds exposed() const noexcept { return communication - overlapped; }
  /// The share of communication that was hidden; 0 without any.
  [[nodiscard]] double fraction() const noexcept {
    return communication.count() > 0 ? static_cast<double>(overlapped.count()) /
                                           static_cast<double>(communication.count())
                                     : 0;
  }
};

/// Lists when the stage of `track` was busy: its runs without the waits inside them, ascending.
[[nodiscard]] std::vector<Stretch> busy_stretches(const Trace& trace, std::size_t track);

/// Joins stretches that touch; the result ascends.
[[nodiscard]] std::vector<Stretch> unite(std::vector<Stretch> stretches);

/// Computes the figures of each rank. They are those that HolisticTraceAnalysis
/// (`get_comm_comp_overlap`) computes from the Kineto file of the same trace.
[[nodiscard]] std::vector<Overlap> overlaps(const Trace& trace);

}  // namespace askos::telemetry
