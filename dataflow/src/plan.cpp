// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/dataflow/plan.hpp>

#include <utility>

namespace askos::dataflow {
namespace {

std::vector<Graph> single(Graph graph) {
  std::vector<Graph> ranks;
  ranks.push_back(std::move(graph));
  return ranks;
}

}  // namespace

Plan::Plan(Graph graph, const PlanLimits& limits) : Plan(single(std::move(graph)), limits) {}

Plan::Plan(std::vector<Graph> one_per_rank, const PlanLimits& limits)
    : ranks_(std::move(one_per_rank)) {
  std::vector<const Graph*> graphs;
  for (const auto& graph : ranks_) graphs.push_back(&graph);
  report_ = check(graphs, limits);
  if (report_.ok()) return;
  Error refusal(Errc::kPlanRefused, "plan refused");
  refusal.with("graph", ranks_.empty() ? "" : ranks_.front().name());
  for (const auto& [what, repair] : report_.faults) {
    refusal.with("fault", repair.empty() ? what : what + " (repair: " + repair + ")");
  }
  throw refusal;
}

}  // namespace askos::dataflow
