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

Plan::Plan(std::vector<Graph> one_per_rank, const PlanLimits& limits, Rank first)
    : ranks_(std::move(one_per_rank)), limits_(limits), first_(first), report_(prove()) {
  refuse_unless_ok(report_);
}

PlanReport Plan::prove() const {
  std::vector<const Graph*> graphs;
  for (const auto& graph : ranks_) graphs.push_back(&graph);
  return check(graphs, limits_);
}

void Plan::change_credit(EdgeId edge, int credit) {
  std::vector<int> before;
  for (auto& graph : ranks_) {
    before.push_back(graph.edges().at(static_cast<std::size_t>(edge.value)).options.credit);
    graph.set_credit(edge, credit);
  }
  auto report = prove();
  if (report.ok()) {
    report_ = std::move(report);
    return;
  }
  for (std::size_t i = 0; i < ranks_.size(); ++i) ranks_[i].set_credit(edge, before[i]);
  refuse_unless_ok(report);
}

void Plan::refuse_unless_ok(const PlanReport& report) const {
  if (report.ok()) return;
  Error refusal(Errc::kPlanRefused, "plan refused");
  refusal.with("graph", ranks_.empty() ? "" : ranks_.front().name());
  for (const auto& [what, repair] : report.faults) {
    refusal.with("fault", repair.empty() ? what : what + " (repair: " + repair + ")");
  }
  throw refusal;
}

const Graph& Plan::graph_of(Rank rank) const noexcept {
  const auto at = static_cast<std::size_t>(rank.value - first_.value);
  return at < ranks_.size() ? ranks_[at] : ranks_.front();
}

}  // namespace askos::dataflow
