// SPDX-License-Identifier: Apache-2.0
#include "prediction.hpp"

#include "plan_checks.hpp"
#include "throughput_model.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace askos::dataflow {
namespace {

/// Less than that is no cause, and within what the model leaves out.
constexpr double kWorthTelling = 0.15;
/// A model that is further from what is measured says nothing.
constexpr double kTrusted = 0.3;
/// So much of what any credit could bring is enough.
constexpr double kEnough = 0.95;
constexpr int kMostCredit = 256;
/// A stage that waits less of its time for a side of the graph is not held back by it.
constexpr double kLittleWait = 0.05;
/// A graph that comes so near to its best speed counts as just as fast.
constexpr double kAsFast = 0.99;

std::size_t first_node(const Plan& plan, std::size_t rank) {
  return rank * plan.ranks().front().stages().size();
}

/// Seconds that a stage waited for credit of an edge, or for its packets.
double waited_for(const BlameGraph::Node& node, const std::string& edge, bool packets) {
  using telemetry::State;
  const auto found = std::ranges::find_if(node.waits, [&](const BlameGraph::Wait& wait) {
    return wait.edge == edge && wait.state == (packets ? State::kWaitInput : State::kWaitCredit);
  });
  return found == node.waits.end() ? 0 : found->seconds;
}

/// The stages of a rank that a model may leave out (see `ThroughputModel::Sides`): whoever feeds
/// them must hardly have waited for them. Nothing if one held the graph back.
std::optional<std::vector<bool>> find_sides(const Plan& plan,
                                            const BlameGraph& blame,
                                            std::size_t rank) {
  const Graph& graph = plan.ranks().front();  // that of all ranks
  std::vector<bool> sides(graph.stages().size(), false);
  for (std::size_t e = 0; e < graph.edges().size(); ++e) {
    const auto& edge = graph.edges()[e];
    if (!ThroughputModel::is_side(edge)) continue;
    const auto& feeder =
        blame.nodes[first_node(plan, rank) + static_cast<std::size_t>(owner_in(graph, *edge.from))];
    const auto name = graph.edge_name(EdgeId{static_cast<int>(e)});
    if (waited_for(feeder, name, /*packets=*/false) > kLittleWait * feeder.active) {
      return std::nullopt;
    }
    sides[static_cast<std::size_t>(owner_in(graph, *edge.to))] = true;
  }
  return sides;
}

/// The model of one rank, from what its stages spent on their own per run.
std::optional<ThroughputModel> model_of(const Plan& plan,
                                        const BlameGraph& blame,
                                        std::size_t rank,
                                        ThroughputModel::Sides sides) {
  const Graph& graph = plan.ranks().front();  // that of all ranks
  const auto left_out = sides == ThroughputModel::Sides::kLeftOut
                            ? find_sides(plan, blame, rank)
                            : std::vector<bool>(graph.stages().size(), false);
  if (!left_out) return std::nullopt;
  std::vector<double> service;
  for (std::size_t i = 0; i < graph.stages().size(); ++i) {
    const auto& node = blame.nodes[first_node(plan, rank) + i];
    if (node.num_runs == 0 && !(*left_out)[i]) return std::nullopt;
    service.push_back((*left_out)[i] ? 0 : node.own() / static_cast<double>(node.num_runs));
  }
  return ThroughputModel::make(graph, std::move(service), sides);
}

double measured(const Plan& plan,
                const BlameGraph& blame,
                std::size_t rank,
                const ThroughputModel& model,
                double window_s) {
  const auto& node = blame.nodes[first_node(plan, rank) + model.measured_stage()];
  return window_s > 0 ? static_cast<double>(node.num_runs) / window_s : 0;
}

/// The rank whose stages have most to do.
std::size_t busiest_rank(const Plan& plan, const BlameGraph& blame) {
  const auto num_stages = plan.ranks().front().stages().size();
  std::size_t busiest = 0;
  double most = 0;
  for (std::size_t i = 0; i < blame.nodes.size(); ++i) {
    if (blame.nodes[i].own() > most) {
      most = blame.nodes[i].own();
      busiest = i / num_stages;
    }
  }
  return busiest;
}

}  // namespace

std::optional<ShortCredit> find_short_credit(const Plan& plan,
                                             const BlameGraph& blame,
                                             double window_s) {
  if (plan.ranks().empty() || plan.ranks().front().stages().empty()) return std::nullopt;
  const auto rank = busiest_rank(plan, blame);
  const Graph& graph = plan.ranks().front();  // that of all ranks
  auto model = model_of(plan, blame, rank, ThroughputModel::Sides::kRefused);
  if (!model) return std::nullopt;
  const double now = model->firings_per_second();
  const double seen = measured(plan, blame, rank, *model, window_s);
  if (now <= 0 || std::abs(seen - now) > kTrusted * now) return std::nullopt;
  std::optional<ShortCredit> best;
  for (std::size_t e = 0; e < model->edges().size(); ++e) {
    const auto& edge = model->edges()[e];
    for (const bool initial : {false, true}) {
      if (initial && edge.initial == 0) continue;
      const auto stage = first_node(plan, rank) + (initial ? edge.to : edge.from);
      const auto name = graph.edge_name(EdgeId{static_cast<int>(e)});
      const double waited = waited_for(blame.nodes[stage], name, initial);
      if (waited == 0) continue;
      const auto before = edge;
      const auto with = [&](int number) {
        auto& changed = model->edges()[e];
        (initial ? changed.initial : changed.credit) = number;
        changed.credit = std::max(changed.credit, changed.initial);
        const double rate = model->firings_per_second();
        changed = before;
        return rate / now - 1;
      };
      const double most = with(kMostCredit);
      if (most < kWorthTelling || (best && most <= best->gain)) continue;
      const int found = initial ? before.initial : before.credit;
      int wanted = found + 1;
      while (wanted < kMostCredit && with(wanted) < kEnough * most) ++wanted;
      best = ShortCredit{.stage = stage,
                         .initial = initial,
                         .edge = name,
                         .credit = found,
                         .wanted = wanted,
                         .gain = with(wanted),
                         .waited = waited};
    }
  }
  return best;
}

Prediction predict(const Plan& plan,
                   const SessionStatus& before,
                   const SessionStatus& after,
                   const WhatIf& change) {
  const BlameGraph blame(plan, before, after);
  const auto rank = busiest_rank(plan, blame);
  const Graph& graph = plan.ranks().at(0);  // that of all ranks
  auto model = model_of(plan, blame, rank, ThroughputModel::Sides::kLeftOut);
  if (!model) {
    throw Error(Errc::kUsage, "no prediction: rates depend on the data, or a stage has not run");
  }
  std::vector<std::string> stages;
  for (const auto& node : graph.stages()) stages.push_back(node.name);
  std::vector<std::string> edges;
  for (std::size_t e = 0; e < graph.edges().size(); ++e) {
    edges.push_back(graph.edge_name(EdgeId{static_cast<int>(e)}));
  }
  const auto place_of = [](const std::string& name, const std::vector<std::string>& names,
                           const char* what) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) {
      Error error(Errc::kNotFound, std::string("no ") + what + " of that name");
      error.with(what, name);
      suggest(error, name, names);
      throw error;
    }
    return static_cast<std::size_t>(found - names.begin());
  };
  const double now = model->firings_per_second();
  if (!change.stage.empty()) {
    if (!(change.times > 0)) {
      throw Error(Errc::kUsage, "a stage can only be made a positive number of times as fast")
          .with("times", change.times);
    }
    model->service()[place_of(change.stage, stages, "stage")] /= change.times;
  }
  if (!change.edge.empty()) {
    if (change.credit < 1)
      throw Error(Errc::kUsage, "credit is at least 1").with("credit", change.credit);
    model->edges()[place_of(change.edge, edges, "edge")].credit = change.credit;
  }
  const double then = model->firings_per_second();
  const double seen = measured(plan, blame, rank, *model,
                               static_cast<double>((after.age - before.age).count()) * 1e-9);
  const auto busiest = std::ranges::max_element(model->service());
  return {.packets_per_s = seen,
          .predicted_per_s = now > 0 ? seen * then / now : 0,
          .gain = now > 0 ? then / now - 1 : 0,
          .limit = stages[static_cast<std::size_t>(busiest - model->service().begin())]};
}

CreditAdvice advise_credit(const Plan& plan,
                           const SessionStatus& before,
                           const SessionStatus& after,
                           std::string_view edge) {
  const auto rate_with = [&](int credit) {
    const WhatIf change{.edge = std::string(edge), .credit = credit};
    return predict(plan, before, after, change).predicted_per_s;
  };
  const double most = rate_with(kMostCredit);
  int credit = 1;
  while (credit < kMostCredit && rate_with(credit) < kAsFast * most) ++credit;
  const auto& graph = plan.ranks().front();
  int current = 0;
  for (std::size_t e = 0; e < graph.edges().size(); ++e) {
    if (graph.edge_name(EdgeId{static_cast<int>(e)}) == edge) {
      current = graph.edges()[e].options.credit;
    }
  }
  std::ostringstream why;
  why.precision(4);
  why << "going by mean times per run: " << rate_with(current) << "/s with credit " << current
      << ", " << rate_with(credit) << "/s with " << credit << ", " << most << "/s with "
      << kMostCredit;
  return {.credit = credit, .why = why.str(), .predicted_per_s = rate_with(credit)};
}

}  // namespace askos::dataflow
