// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/plan.hpp>
#include <askos/dataflow/status.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace askos::dataflow {

/// Who waited for whom, and how long, between two readings of a session.
struct BlameGraph {
  struct Wait {
    std::size_t target;      ///< the stage waited for
    telemetry::State state;  ///< `wait.input`, `wait.credit`, `wait.comm` or `wait.mem`
    std::string edge;        ///< the edge waited on, or the communicator
    double seconds;
  };
  struct Node {
    std::string stage;
    Rank rank;
    bool is_source = false;
    double active = 0;     ///< seconds not in `off`
    double passed_on = 0;  ///< of its own states: seconds that others are behind
    std::int64_t num_runs = 0;
    std::array<double, telemetry::kNumStates> seconds{};  ///< by state
    std::vector<Wait> waits{};

    [[nodiscard]] double in(telemetry::State state) const noexcept {
      return seconds[static_cast<std::size_t>(state)];
    }
    /// Seconds spent waiting for other stages.
    [[nodiscard]] double stalled() const noexcept;
    /// Seconds in states that are the stage's own doing.
    [[nodiscard]] double own() const noexcept;
  };

  std::vector<Node> nodes;  ///< in the order of `SessionStatus::stages`

  BlameGraph(const Plan& plan, const SessionStatus& before, const SessionStatus& after);

  /// Returns, for each start weight by node, where walks end: the first `nodes.size()` entries are
  /// a node's own states, then as many for walks that run in circles at it, then `wait.sched`.
  [[nodiscard]] std::vector<double> absorb(const std::vector<double>& start) const;

  /// Probability that a walk from each node ends in the own states of `root`, or, for
  /// `root == scheduler()`, waits for a thread.
  [[nodiscard]] std::vector<double> reach(std::size_t root) const;

  [[nodiscard]] std::size_t scheduler() const noexcept { return 2 * nodes.size(); }

 private:
  void blame_late_ranks(const Plan& plan);
  void blame_holders(const Plan& plan);
  void pass_on(std::size_t from, Wait wait);
  [[nodiscard]] double absorption(std::size_t node, std::size_t root) const;
};

}  // namespace askos::dataflow
