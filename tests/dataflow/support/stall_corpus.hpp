// SPDX-License-Identifier: Apache-2.0
// Graphs that stall or crawl for a known reason, and healthy ones, on virtual time.
#pragma once

#include "dataflow/stepping_clock.hpp"

#include <askos/dataflow/session.hpp>
#include <askos/dataflow/why.hpp>

#include <functional>
#include <string>
#include <vector>

namespace askos::dataflow::test {

/// What `why` must say about a graph.
struct Cause {
  Verdict verdict = Verdict::kLimited;
  std::string stage{};  ///< of the root; empty: any
  std::optional<Rank> rank{};
  std::optional<telemetry::State> state{};
  std::string edge{};  ///< part of the name of the edge whose credit or packets are too few
};

struct StalledGraph {
  std::string name;
  std::function<std::vector<Graph>()> make;  ///< one per rank
  Cause cause;
};

/// At least 20 of them.
[[nodiscard]] std::vector<StalledGraph> stalled_graphs();

/// At least 10, of which `why` must blame nothing.
[[nodiscard]] std::vector<StalledGraph> healthy_graphs();

/// Runs a graph for a second of virtual time and asks why.
[[nodiscard]] WhyReport why_after_a_second(const StalledGraph& graph);

}  // namespace askos::dataflow::test
