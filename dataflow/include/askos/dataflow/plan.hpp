// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/id.hpp>
#include <askos/base/unit.hpp>
#include <askos/dataflow/graph.hpp>

#include <string>
#include <vector>

namespace askos::dataflow {

struct PlanLimits {
  Bytes host{};    ///< 0: no limit
  Bytes device{};  ///< 0: no limit
};

/// One reason why a graph is refused.
struct PlanFault {
  std::string what;    ///< `edge joins two payload types: from=…, to=…`
  std::string repair;  ///< the smallest change that would do, or empty
};

/// What was proved of a graph, what could not be, and what is wrong with it.
struct PlanReport {
  std::vector<PlanFault> faults;
  std::vector<std::string> unproved;  ///< for instance a rate that depends on the data
  Bytes host_bound;                   ///< bytes in flight can never exceed this, per rank
  Bytes device_bound;
  bool bound_proved = true;  ///< false: some port states no size, so the bounds do not cover it

  [[nodiscard]] bool ok() const noexcept { return faults.empty(); }
};

/// A checked graph for each rank of this process, ready to run.
///
/// Building it reports all faults at once: ports left open or joined twice, payload types and
/// contracts, unbalanced rates, too little credit on a cycle or reconvergent path (with the
/// smallest sufficient change), bytes over the limits, dropping edges on a path into a collective,
/// ranks whose graphs differ.
class Plan {
 public:
  /// Throws `Errc::kPlanRefused` listing every fault.
  explicit Plan(Graph graph, const PlanLimits& limits = {});
  /// Where ranks are processes, `first` is the number of the first one here.
  explicit Plan(std::vector<Graph> one_per_rank, const PlanLimits& limits = {}, Rank first = {});

  /// Checks without throwing.
  [[nodiscard]] static PlanReport check(const std::vector<const Graph*>& one_per_rank,
                                        const PlanLimits& limits = {});

  [[nodiscard]] const std::vector<Graph>& ranks() const noexcept { return ranks_; }
  [[nodiscard]] std::vector<Graph>& ranks() noexcept { return ranks_; }
  [[nodiscard]] Rank first_rank() const noexcept { return first_; }
  /// Returns the graph of a rank; all ranks have the same, those of other processes too.
  [[nodiscard]] const Graph& graph_of(Rank rank) const noexcept;
  [[nodiscard]] const PlanReport& report() const noexcept { return report_; }

  /// Gives an edge another credit on all ranks and proves the plan again. Throws
  /// `Errc::kPlanRefused`, listing every fault, and leaves the plan as it was if that fails.
  void change_credit(EdgeId edge, int credit);

 private:
  [[nodiscard]] PlanReport prove() const;
  void refuse_unless_ok(const PlanReport& report) const;

  std::vector<Graph> ranks_;
  PlanLimits limits_;
  Rank first_;
  PlanReport report_;
};

}  // namespace askos::dataflow
