// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/id.hpp>
#include <askos/dataflow/plan.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace askos::dataflow {

/// Which faults a simulation may inject; a seed decides when.
struct SimulatedFaults {
  bool slow = true;       ///< a stage gets its turn later than it should
  bool late_rank = true;  ///< all stages of one rank do
  bool drop = false;      ///< a run takes its packets and nothing comes of them
  bool fail = false;      ///< a run throws; the stage's policy deals with it
};

struct SimulationOptions {
  unsigned first_seed = 1;
  int num_seeds = 100;
  std::int64_t num_steps = 20'000;  ///< turns of stages per seed; then the graph must drain
  SimulatedFaults faults{};
  int num_kept_steps = 40;  ///< the last ones of the seed that breaks something are kept
};

/// One turn of one stage.
struct SimulatedStep {
  std::int64_t number = 0;
  Nanoseconds time{};  ///< virtual
  std::string stage;
  Rank rank;
  std::int64_t num_runs = 0;  ///< of the stage, after the turn
  std::string edges{};        ///< those that are not empty: `a.out>b.in 2/4, …`
};

/// The first seed with which something goes wrong.
struct SimulationFinding {
  unsigned seed = 0;
  std::string what;    ///< `stall`, `bound broken`, `ledger does not add up`, `failure`
  std::string detail;  ///< who waits for what, or what was broken
  std::vector<SimulatedStep> steps{};
};

struct SimulationReport {
  int num_seeds = 0;              ///< tried
  std::int64_t num_steps = 0;     ///< of all of them
  std::uint64_t fingerprint = 0;  ///< of all turns of all seeds: equal for equal options
  std::optional<SimulationFinding> finding{};
};

/// Makes the graphs of one run, one per rank; equal ones on each call.
using GraphMaker = std::function<std::vector<Graph>()>;

/// Runs a graph on virtual time and one thread, once per seed: a seed picks whose turn it is, how
/// long a turn may last and when faults happen. Stops at the first seed with which the graph stands
/// still before its stages have ended, an edge holds more than its credit, the states of a ledger
/// do not add up, or a stage fails for a reason that was not injected. The same seed does the same
/// again. Stages must not block, and must do the same whenever they are made anew. Throws what
/// building the plan throws.
[[nodiscard]] SimulationReport simulate(const GraphMaker& make,
                                        const PlanLimits& limits = {},
                                        const SimulationOptions& options = {});

}  // namespace askos::dataflow
