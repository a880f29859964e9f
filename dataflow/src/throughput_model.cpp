// SPDX-License-Identifier: Apache-2.0
#include "throughput_model.hpp"

#include "plan_checks.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

namespace askos::dataflow {
namespace {

constexpr int kWarmUp = 100;  // firings of the measured stage, until the edges have filled
constexpr int kMeasured = 200;
constexpr int kMostFirings = 200'000;  // of all stages
constexpr double kLeastService = 1e-9;

}  // namespace

bool ThroughputModel::is_side(const Graph::Edge& edge) noexcept {
  return edge.from->contract().rate == 0 && edge.to->owner().outputs().empty();
}

std::optional<ThroughputModel> ThroughputModel::make(const Graph& graph,
                                                     std::vector<double> service,
                                                     Sides sides) {
  ThroughputModel model;
  std::vector<bool> left_out(graph.stages().size(), false);
  for (const auto& node : graph.stages()) {
    if (node.stage->firing() != Firing::kAll) return std::nullopt;
  }
  for (const auto& edge : graph.edges()) {
    const int made = edge.from->contract().rate;
    const bool is_left_out = sides == Sides::kLeftOut && is_side(edge);
    // Nothing is ever made for what is left out: it waits for its input for ever.
    const int taken = is_left_out ? 1 : edge.to->contract().rate;
    if ((made == 0 && !is_left_out) || taken == 0 || edge.options.policy != EdgePolicy::kBlock)
      return std::nullopt;
    model.edges_.push_back({.from = static_cast<std::size_t>(owner_in(graph, *edge.from)),
                            .to = static_cast<std::size_t>(owner_in(graph, *edge.to)),
                            .made = made,
                            .taken = taken,
                            .credit = static_cast<int>(packets_that_fit(edge)),
                            .initial = edge.options.initial});
    left_out[model.edges_.back().to] = is_left_out || left_out[model.edges_.back().to];
  }
  for (double& time : service) time = std::max(time, kLeastService);
  model.service_ = std::move(service);
  for (std::size_t i = 0; i < graph.stages().size(); ++i) {
    if (graph.stages()[i].stage->outputs().empty() && !left_out[i]) model.measured_ = i;
  }
  return model;
}

double ThroughputModel::firings_per_second() const {
  struct Load {
    int waiting;
    int in_flight;
  };
  std::vector<Load> loads;
  for (const auto& edge : edges_) loads.push_back({edge.initial, edge.initial});
  std::vector<bool> busy(service_.size(), false);
  int num_fired = 0;
  using Event = std::pair<double, std::size_t>;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> done;
  const auto can_start = [&](std::size_t stage) {
    for (std::size_t e = 0; e < edges_.size(); ++e) {
      const auto& edge = edges_[e];
      if (edge.to == stage && loads[e].waiting < edge.taken) return false;
      if (edge.from == stage && loads[e].in_flight + edge.made > edge.credit) return false;
    }
    return !busy[stage];
  };
  double now = 0;
  double begin = 0;
  for (int total = 0; total < kMostFirings; ++total) {
    for (std::size_t stage = 0; stage < service_.size(); ++stage) {
      if (!can_start(stage)) continue;
      busy[stage] = true;
      for (std::size_t e = 0; e < edges_.size(); ++e) {
        if (edges_[e].to == stage) loads[e].waiting -= edges_[e].taken;
      }
      done.emplace(now + service_[stage], stage);
    }
    if (done.empty()) return 0;
    const auto [time, stage] = done.top();
    done.pop();
    now = time;
    busy[stage] = false;
    for (std::size_t e = 0; e < edges_.size(); ++e) {
      if (edges_[e].to == stage) loads[e].in_flight -= edges_[e].taken;
      if (edges_[e].from == stage) {
        loads[e].in_flight += edges_[e].made;
        loads[e].waiting += edges_[e].made;
      }
    }
    if (stage != measured_) continue;
    ++num_fired;
    if (num_fired == kWarmUp) begin = now;
    if (num_fired == kWarmUp + kMeasured) return kMeasured / (now - begin);
  }
  return num_fired > kWarmUp && now > begin ? (num_fired - kWarmUp) / (now - begin) : 0;
}

}  // namespace askos::dataflow
