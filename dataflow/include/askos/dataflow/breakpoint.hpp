// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/id.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace askos::dataflow {

/// Which packet met a breakpoint.
struct BreakpointHit {
  Rank rank;
  SampleId sample;
  TraceId trace;
};

/// A condition on the packets of an edge: all stages are paused before one that fulfils it is
/// taken.
struct Breakpoint {
  int number = 0;
  std::string edge;
  std::optional<Rank> rank{};  ///< nothing: all ranks
  std::string when;            ///< `nan(*) > 0`, `age > 2s && sample % 8 == 0`, …
  std::int64_t num_hits = 0;
  std::optional<BreakpointHit> hit{};  ///< the last one, until the graph goes on
  std::string problem{};               ///< why it could not be evaluated last, if it could not
};

}  // namespace askos::dataflow
