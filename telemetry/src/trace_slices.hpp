// SPDX-License-Identifier: Apache-2.0
// Events as slices that nest: what the timelines of both trace formats are made of.
#pragma once

#include <askos/telemetry/trace.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace askos::telemetry {

/// One line of a timeline. Its events either nest or lie apart.
struct Lane {
  std::size_t track = 0;
  bool collectives = false;  ///< what is under way beside the stage, not what the stage does
  int number = 0;            ///< among the lanes of the same kind and track
  std::vector<const TraceEvent*> events{};  ///< by start; of the same start the longer one first
};

/// Lays the events of every track on lanes: a lane for what the stage does, and as many for its
/// collectives as are under way at once. Events that reach beyond the one around them are let out.
[[nodiscard]] std::vector<Lane> lay_on_lanes(const Trace& trace);

/// Names a lane: `compute`, `compute: collectives`, `compute: collectives 2`.
[[nodiscard]] std::string name_of(const Lane& lane, const Trace& trace);

/// Names an event: the stage of a run, the state of a wait, the operation of a collective, the
/// operator.
[[nodiscard]] std::string name_of(const TraceEvent& event, const Trace& trace);

/// Numbers the arrows that begin or end at an event: for a run its sample on each edge of the
/// stage, for a collective its place in the order of its group.
[[nodiscard]] std::vector<std::uint64_t> flows_of(const TraceEvent& event, const Trace& trace);

}  // namespace askos::telemetry
