// SPDX-License-Identifier: Apache-2.0
// Ranks enter collectives in one order only if they run the same graph on the same packets.
#include "plan_checks.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace askos::dataflow {
namespace {

/// Returns the positions of all stages from which `target` can be reached, itself included.
std::set<int> upstream_of(const Graph& graph, int target) {
  std::set<int> reached{target};
  std::vector<int> open{target};
  while (!open.empty()) {
    const int stage = open.back();
    open.pop_back();
    for (const auto& edge : graph.edges()) {
      const int from = owner_in(graph, *edge.from);
      if (owner_in(graph, *edge.to) == stage && from >= 0 && reached.insert(from).second) {
        open.push_back(from);
      }
    }
  }
  return reached;
}

bool drops(EdgePolicy policy) {
  return policy == EdgePolicy::kLatest || policy == EdgePolicy::kDropOldest;
}

/// Describes a graph line by line, so that two ranks can be compared.
std::vector<std::string> describe(const Graph& graph) {
  std::vector<std::string> lines{"graph " + graph.name()};
  for (const auto& node : graph.stages()) {
    std::string line = "stage " + node.name;
    for (const auto* port : node.stage->inputs()) line += " in " + port->name();
    for (const auto* port : node.stage->outputs()) line += " out " + port->name();
    line += " policy " + std::to_string(static_cast<int>(node.options.on_failure));
    if (!node.stage->communicator().empty()) line += " communicator " + node.stage->communicator();
    lines.push_back(std::move(line));
  }
  for (std::size_t i = 0; i < graph.edges().size(); ++i) {
    const auto& [from, to, options] = graph.edges()[i];
    lines.push_back("edge " + graph.edge_name(EdgeId{static_cast<int>(i)}) + " rates " +
                    std::to_string(from->contract().rate) + ":" +
                    std::to_string(to->contract().rate) + " credit " +
                    std::to_string(options.credit) + " policy " +
                    std::to_string(static_cast<int>(options.policy)) + " initial " +
                    std::to_string(options.initial));
  }
  return lines;
}

}  // namespace

void check_collectives(const Graph& graph, PlanReport& report) {
  std::map<std::string, std::string> stage_of_communicator;
  std::set<std::string> reported;
  for (std::size_t i = 0; i < graph.stages().size(); ++i) {
    const auto& node = graph.stages()[i];
    const auto communicator = node.stage->communicator();
    if (communicator.empty()) continue;
    const auto [other, is_first] = stage_of_communicator.try_emplace(communicator, node.name);
    if (!is_first) {
      FaultText("two stages enter collectives of one communicator, in no fixed order")
          .with("communicator", communicator)
          .with("stages", other->second + ", " + node.name)
          .add_to(report, "derive a communicator for " + node.name);
    }
    const auto upstream = upstream_of(graph, static_cast<int>(i));
    for (std::size_t e = 0; e < graph.edges().size(); ++e) {
      const auto& edge = graph.edges()[e];
      const auto name = graph.edge_name(EdgeId{static_cast<int>(e)});
      if (!drops(edge.options.policy) || !upstream.contains(owner_in(graph, *edge.to))) continue;
      if (!reported.insert(name).second) continue;
      FaultText("edge may drop packets on the way into a collective: ranks would fall out of step")
          .with("edge", name)
          .with("collective", node.name)
          .add_to(report, "set the policy of " + name + " to block");
    }
    for (const int position : upstream) {
      const auto& stage = graph.stages()[static_cast<std::size_t>(position)];
      if (stage.options.on_failure == FailurePolicy::kStop) continue;
      if (!reported.insert(stage.name).second) continue;
      FaultText("stage may skip packets on the way into a collective: ranks would fall out of step")
          .with("stage", stage.name)
          .with("collective", node.name)
          .add_to(report, "set on_failure of " + stage.name + " to stop");
    }
  }
}

void check_ranks(const std::vector<const Graph*>& one_per_rank, PlanReport& report) {
  const auto first = describe(*one_per_rank.front());
  for (std::size_t rank = 1; rank < one_per_rank.size(); ++rank) {
    const auto other = describe(*one_per_rank[rank]);
    const auto [mine, theirs] = std::ranges::mismatch(first, other);
    if (mine == first.end() && theirs == other.end()) continue;
    FaultText("ranks have different graphs")
        .with("rank", rank)
        .with("rank 0 has", mine == first.end() ? "nothing more" : *mine)
        .with("it has", theirs == other.end() ? "nothing more" : *theirs)
        .add_to(report);
  }
}

}  // namespace askos::dataflow
