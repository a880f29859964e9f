// SPDX-License-Identifier: Apache-2.0
// Balance and liveness of the part of a graph whose rates are fixed. The rest is said to be
// unproved.
#include "plan_checks.hpp"
#include "sdf.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace askos::dataflow {
namespace {

/// More firings than that in one period are not simulated.
constexpr std::int64_t kMostFirings = 1'000'000;
constexpr int kMostInitial = 10'000;

/// The provable part of a graph.
struct StaticPart {
  sdf::Net net;
  std::vector<std::size_t> graph_edges{};  // by edge of the net
};

bool fires_on_all(const Graph::Node& node) {
  return node.stage->firing() == Firing::kAll;
}

bool may_lose(const Graph::Node& node) {
  return node.options.on_failure != FailurePolicy::kStop;
}

StaticPart static_part(const Graph& graph, PlanReport& report) {
  StaticPart part{.net = {.num_actors = static_cast<int>(graph.stages().size())}};
  for (const auto& node : graph.stages()) {
    if (!fires_on_all(node)) {
      report.unproved.push_back("balance and liveness around " + node.name +
                                ": it runs on any of its inputs");
    } else if (may_lose(node)) {
      report.unproved.push_back("balance and liveness around " + node.name +
                                ": it may skip packets when it fails");
    }
  }
  for (std::size_t i = 0; i < graph.edges().size(); ++i) {
    const auto& edge = graph.edges()[i];
    const int from = owner_in(graph, *edge.from);
    const int to = owner_in(graph, *edge.to);
    if (from < 0 || to < 0) continue;  // reported already
    const auto& producer = graph.stages()[static_cast<std::size_t>(from)];
    const auto& consumer = graph.stages()[static_cast<std::size_t>(to)];
    const int made = edge.from->contract().rate;
    const int taken = edge.to->contract().rate;
    const auto name = graph.edge_name(EdgeId{static_cast<int>(i)});
    // Less room than one firing needs is a fault of its own.
    const auto capacity = std::max<std::int64_t>(packets_that_fit(edge),
                                                 std::max({made, taken, edge.options.initial}));
    if (edge.options.policy != EdgePolicy::kBlock) {
      report.unproved.push_back("balance and liveness across " + name + ": it may drop packets");
    } else if (made == 0 || taken == 0) {
      report.unproved.push_back("balance and liveness across " + name +
                                ": its rate depends on the data");
    } else if (fires_on_all(producer) && fires_on_all(consumer) && !may_lose(producer) &&
               !may_lose(consumer)) {
      part.net.edges.push_back({.from = from,
                                .to = to,
                                .made = made,
                                .taken = taken,
                                .initial = edge.options.initial,
                                .capacity = capacity});
      part.graph_edges.push_back(i);
    }
  }
  return part;
}

std::string list(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

class RateProof {
 public:
  RateProof(const Graph& graph, StaticPart part, PlanReport& report)
      : graph_(graph), part_(std::move(part)), report_(report) {}

  void run() {
    const auto balance = sdf::balance(part_.net);
    for (const auto edge : balance.unbalanced) report_unbalanced(edge);
    if (!balance.unbalanced.empty()) return;
    firings_ = balance.firings;
    if (std::accumulate(firings_.begin(), firings_.end(), std::int64_t{0}) > kMostFirings) {
      report_.unproved.emplace_back("liveness: the rates repeat only after too many firings");
      return;
    }
    if (!sdf::simulate(unbounded(), firings_).complete) {
      report_starved_cycle();
    } else if (!sdf::simulate(part_.net, firings_).complete) {
      report_lack_of_credit();
    }
  }

 private:
  [[nodiscard]] std::string name_of(std::size_t edge) const {
    return graph_.edge_name(EdgeId{static_cast<int>(part_.graph_edges[edge])});
  }
  [[nodiscard]] const std::string& stage_name(int actor) const {
    return graph_.stages()[static_cast<std::size_t>(actor)].name;
  }

  [[nodiscard]] sdf::Net unbounded() const {
    auto net = part_.net;
    for (auto& edge : net.edges) edge.capacity = std::numeric_limits<std::int64_t>::max() / 2;
    return net;
  }

  void report_unbalanced(std::size_t index) {
    const auto& edge = part_.net.edges[index];
    FaultText("rates do not balance: packets would pile up or run out")
        .with("edge", name_of(index))
        .with("made", edge.made)
        .with("taken", edge.taken)
        .add_to(report_, "let both ways between the stages make and take in one proportion");
  }

  /// Follows edges that lack packets backwards until a stage comes up twice.
  [[nodiscard]] std::vector<std::size_t> cycle_among(const std::vector<std::size_t>& empty) const {
    std::vector<std::size_t> path{empty.front()};
    std::vector<int> met{part_.net.edges[empty.front()].to};
    for (;;) {
      const int producer = part_.net.edges[path.back()].from;
      const auto again = std::ranges::find(met, producer);
      if (again != met.end()) {
        path.erase(path.begin(), path.begin() + (again - met.begin()));
        return path;
      }
      met.push_back(producer);
      path.push_back(*std::ranges::find_if(
          empty, [&](std::size_t edge) { return part_.net.edges[edge].to == producer; }));
    }
  }

  void report_starved_cycle() {
    auto net = unbounded();
    std::vector<std::string> stages;
    std::vector<std::size_t> raised;
    for (int step = 0; step < kMostInitial; ++step) {
      const auto halt = sdf::simulate(net, firings_);
      if (halt.complete) break;
      const auto cycle = cycle_among(halt.empty);
      // The edge that leads back to the stage that was named first is the one that needs them.
      const auto back = *std::ranges::min_element(
          cycle, {}, [&](std::size_t edge) { return net.edges[edge].to; });
      net.edges[back].initial += std::gcd(net.edges[back].made, net.edges[back].taken);
      if (step == 0) {
        for (auto edge = cycle.rbegin(); edge != cycle.rend(); ++edge) {
          stages.push_back(stage_name(net.edges[*edge].from));
        }
      }
      if (std::ranges::find(raised, back) == raised.end()) raised.push_back(back);
    }
    std::vector<std::string> repairs;
    for (const auto edge : raised) {
      const auto needed = net.edges[edge].initial;
      repairs.push_back("start with " + std::to_string(needed) + " initial packets on " +
                        name_of(edge));
      if (part_.net.edges[edge].capacity < needed) {
        repairs.push_back("raise its credit to " + std::to_string(needed));
      }
    }
    FaultText("cycle has too few initial packets to begin")
        .with("stages", list(stages))
        .add_to(report_, list(repairs));
  }

  void report_lack_of_credit() {
    const auto halt = sdf::simulate(part_.net, firings_);
    std::vector<std::string> edges;
    for (const auto edge : halt.full) edges.push_back(name_of(edge));
    std::vector<std::string> repairs;
    if (const auto found = sdf::smallest_capacities(part_.net, firings_)) {
      for (std::size_t i = 0; i < found->values.size(); ++i) {
        if (found->values[i] != part_.net.edges[i].capacity)
          repairs.push_back(raise(i, found->values[i]));
      }
      if (!found->smallest) repairs.emplace_back("a smaller sum may do");
    }
    FaultText("graph comes to a stop for lack of credit")
        .with("full", list(edges))
        .with("waiting", list(waiting_stages(halt)))
        .add_to(report_, list(repairs));
  }

  [[nodiscard]] std::vector<std::string> waiting_stages(const sdf::Halt& halt) const {
    std::vector<std::string> names;
    for (const auto edge : halt.empty) {
      const auto& name = stage_name(part_.net.edges[edge].to);
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
    return names;
  }

  [[nodiscard]] std::string raise(std::size_t index, std::int64_t packets) const {
    const auto& edge = graph_.edges()[part_.graph_edges[index]];
    const auto number = std::to_string(packets);
    std::vector<std::string> what;
    const auto raise_bytes = [&](Bytes limit, Bytes packet, const char* which) {
      const Bytes needed = packets * packet;
      if (limit.value == 0 || needed <= limit) return;
      what.push_back(std::string(which) + " of " + name_of(index) + " to " +
                     std::to_string(needed.value));
    };
    if (edge.options.credit < packets) {
      what.push_back("credit of " + name_of(index) + " from " +
                     std::to_string(edge.options.credit) + " to " + number);
    }
    raise_bytes(edge.options.host_bytes, edge.from->contract().host_bytes, "host_bytes");
    raise_bytes(edge.options.device_bytes, edge.from->contract().device_bytes, "device_bytes");
    return "raise the " + list(what);
  }

  const Graph& graph_;
  StaticPart part_;
  PlanReport& report_;
  std::vector<std::int64_t> firings_;
};

}  // namespace

void check_rates(const Graph& graph, PlanReport& report) {
  auto part = static_part(graph, report);
  RateProof(graph, std::move(part), report).run();
}

}  // namespace askos::dataflow
