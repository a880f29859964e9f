// SPDX-License-Identifier: Apache-2.0
#include "plan_checks.hpp"

#include <algorithm>
#include <limits>

namespace askos::dataflow {

int owner_in(const Graph& graph, const Port& port) {
  const auto& stages = graph.stages();
  const auto found = std::ranges::find_if(
      stages, [&](const Graph::Node& node) { return node.stage.get() == &port.owner(); });
  return found == stages.end() ? -1 : static_cast<int>(found - stages.begin());
}

std::string port_name(const Graph& graph, const Port& port) {
  const int owner = owner_in(graph, port);
  const auto& stages = graph.stages();
  return (owner < 0 ? "?" : stages[static_cast<std::size_t>(owner)].name) + "." + port.name();
}

std::int64_t packets_that_fit(const Graph::Edge& edge) {
  const auto limited = [](Bytes limit, Bytes packet) {
    return limit.value == 0 || packet.value == 0 ? std::numeric_limits<std::int64_t>::max()
                                                 : limit.value / packet.value;
  };
  const auto& contract = edge.from->contract();
  return std::min({std::int64_t{edge.options.credit},
                   limited(edge.options.host_bytes, contract.host_bytes),
                   limited(edge.options.device_bytes, contract.device_bytes)});
}

PlanReport Plan::check(const std::vector<const Graph*>& one_per_rank, const PlanLimits& limits) {
  PlanReport report;
  if (one_per_rank.empty()) {
    FaultText("plan has no rank").add_to(report, "give one graph per rank");
    return report;
  }
  check_ranks(one_per_rank, report);
  // Ranks that pass have the same graph; one that differs is reported as such.
  const auto& graph = *one_per_rank.front();
  check_shape(graph, report);
  check_edges(graph, report);
  check_rates(graph, report);
  check_collectives(graph, report);
  check_memory(graph, limits, report);
  check_faults(graph, report);
  return report;
}

}  // namespace askos::dataflow
