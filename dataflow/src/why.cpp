// SPDX-License-Identifier: Apache-2.0
#include "blame_graph.hpp"
#include "prediction.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/dataflow/why.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace askos::dataflow {
namespace {

using telemetry::State;

/// Less waiting than this is nothing to complain about.
constexpr double kLittleStall = 0.1;
/// A root with less of the stall time than this is one of many. It is low because blame thins out
/// on its way through a long chain: each stage on the way keeps what it was busy itself.
constexpr double kMainShare = 0.1;
/// Two roots whose shares differ by less than this factor are both to blame.
constexpr double kClearLead = 1.5;
/// A stage that is this close to the root's own load would limit the graph just as well.
constexpr double kSameLoad = 0.9;
/// A graph in which no stage works for more of its time may stand still.
constexpr double kLittleLoad = 0.5;
/// A stage that works for so much of its time is what limits the graph, whatever the credit.
constexpr double kNearLimit = 0.85;

double load_of(const BlameGraph::Node& node) {
  return node.active > 0 ? node.own() / node.active : 0;
}

State main_state(const BlameGraph::Node& node) {
  State best = State::kBusyCpu;
  for (const State state :
       {State::kBusyGpu, State::kWaitComm, State::kWaitIo, State::kWaitMem, State::kPaused}) {
    if (node.in(state) > node.in(best)) {
      best = state;
    }
  }
  return best;
}

Nanoseconds nanoseconds(double seconds) {
  return Nanoseconds(std::llround(seconds * 1e9));
}

class Analysis {
 public:
  Analysis(const Plan& plan,
           const SessionStatus& before,
           const SessionStatus& after,
           std::string_view stage)
      : plan_(plan), after_(after), blame_(plan, before, after) {
    report_.window = after.age - before.age;
    report_.victim = stage;
    const auto num_stages = plan.ranks().empty() ? 0 : plan.ranks().front().stages().size();
    report_.num_ranks = num_stages == 0 ? 0 : static_cast<int>(after.stages.size() / num_stages);
    check_stage(stage);
  }

  WhyReport run() {
    const auto start = start_weights();
    const double stalled = std::accumulate(start.begin(), start.end(), 0.0);
    double active = 0;
    for (const auto& node : blame_.nodes) {
      active += is_victim(node) ? node.active : 0;
    }
    if (active == 0) {
      return report_;
    }
    report_.stalled_fraction = stalled / active;
    report_.verdict = Verdict::kBalanced;
    if (stalled > 0) {
      rank_roots(blame_.absorb(start), stalled);
      judge();
    }
    if (report_.chain.empty()) {
      report_.chain = own_account();
    }
    return report_;
  }

 private:
  void check_stage(std::string_view stage) const {
    std::vector<std::string> names;
    std::ranges::transform(blame_.nodes, std::back_inserter(names), &BlameGraph::Node::stage);
    if (!stage.empty() && std::ranges::find(names, stage) == names.end()) {
      Error error(Errc::kNotFound, "no stage of that name");
      error.with("stage", stage);
      suggest(error, stage, names);
      throw error;
    }
  }

  [[nodiscard]] bool is_victim(const BlameGraph::Node& node) const {
    return report_.victim.empty() || node.stage == report_.victim;
  }

  /// Stall seconds of the victims, by the stage that they waited for.
  [[nodiscard]] std::vector<double> start_weights() const {
    std::vector<double> start(blame_.nodes.size(), 0);
    for (const auto& node : blame_.nodes) {
      for (const auto& wait : node.waits) {
        start[wait.target] += is_victim(node) ? wait.seconds : 0;
      }
    }
    return start;
  }

  void rank_roots(const std::vector<double>& ends, double stalled) {
    const std::size_t n = blame_.nodes.size();
    double circles = 0;
    for (std::size_t i = 0; i < n; ++i) {
      circles += ends[n + i] / stalled;
      if (ends[i] > 0) {
        const auto& node = blame_.nodes[i];
        report_.roots.push_back({node.stage, node.rank, main_state(node), ends[i] / stalled});
        root_nodes_.push_back(i);
      }
    }
    if (ends[blame_.scheduler()] > 0) {
      report_.roots.push_back(
          {"scheduler", Rank{}, State::kWaitSched, ends[blame_.scheduler()] / stalled});
      root_nodes_.push_back(blame_.scheduler());
    }
    std::vector<std::size_t> order(report_.roots.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(
        order, [&](auto a, auto b) { return report_.roots[a].share > report_.roots[b].share; });
    std::vector<WhyRoot> sorted;
    std::vector<std::size_t> sorted_nodes;
    for (const std::size_t i : order) {
      sorted.push_back(report_.roots[i]);
      sorted_nodes.push_back(root_nodes_[i]);
    }
    report_.roots = std::move(sorted);
    root_nodes_ = std::move(sorted_nodes);
    if (circles > 0.5 || stands_still()) {
      report_.verdict = Verdict::kStuck;
    }
  }

  /// True if every stage that has not ended waits for another now, and with reason: an edge that it
  /// waits for has indeed no credit or too few packets.
  [[nodiscard]] bool stands_still() const {
    double most = 0;
    for (const auto& node : blame_.nodes) most = std::max(most, load_of(node));
    std::size_t num_waiting = 0;
    for (const auto& stage : after_.stages) {
      if (stage.ledger.state == State::kOff) continue;
      if (!waits_with_reason(stage)) return false;
      ++num_waiting;
    }
    return num_waiting > 0 && most < kLittleLoad;
  }

  [[nodiscard]] bool waits_with_reason(const StageStatus& waiting) const {
    const Graph& graph = plan_.graph_of(waiting.rank);
    const auto* const stage = graph.find_stage(waiting.stage)->stage.get();
    const auto state = waiting.ledger.state;
    return std::ranges::any_of(after_.edges, [&](const EdgeStatus& edge) {
      const auto& ends = graph.edges()[static_cast<std::size_t>(edge.edge.value)];
      if (edge.rank != waiting.rank) return false;
      const bool lacks_credit =
          edge.in_flight + std::max(ends.from->contract().rate, 1) > edge.credit;
      const bool lacks_packets = edge.depth < std::max(ends.to->contract().rate, 1);
      return (state == State::kWaitCredit && stage == &ends.from->owner() && lacks_credit) ||
             (state == State::kWaitInput && stage == &ends.to->owner() && lacks_packets);
    });
  }

  /// Share of all roots of one stage, on whatever ranks.
  [[nodiscard]] double share_of(const std::string& stage) const {
    double sum = 0;
    for (const auto& root : report_.roots) sum += root.stage == stage ? root.share : 0;
    return sum;
  }

  void judge() {
    if (report_.verdict == Verdict::kStuck) {
      report_.chain = circle();
      return;
    }
    if (report_.stalled_fraction < kLittleStall || judge_credit() || report_.roots.empty()) {
      return;
    }
    const std::size_t root = root_nodes_.front();
    const WhyRoot& first = report_.roots.front();
    find_next(root);
    double second = 0;
    for (const auto& other : report_.roots) {
      if (other.stage != first.stage) second = std::max(second, share_of(other.stage));
    }
    const double share = share_of(first.stage);
    const bool is_scheduler = root == blame_.scheduler();
    const bool has_peer = !is_scheduler && next_load_ >= kSameLoad * load_of(blame_.nodes[root]);
    const bool is_clear = share >= kMainShare && share >= kClearLead * second && !has_peer;
    if (report_.victim.empty() && !is_clear) {
      return;
    }
    const bool is_paced =
        !is_scheduler && blame_.nodes[root].is_source && first.state == State::kWaitIo;
    report_.verdict = is_paced ? Verdict::kPaced : Verdict::kLimited;
    report_.chain = chain_to(root);
  }

  /// Blames an edge if no stage is near its limit and more credit there would help.
  bool judge_credit() {
    double most = 0;
    for (const auto& node : blame_.nodes) most = std::max(most, load_of(node));
    if (most >= kNearLimit || !report_.victim.empty()) {
      return false;
    }
    const auto found =
        find_short_credit(plan_, blame_, static_cast<double>(report_.window.count()) * 1e-9);
    if (!found) {
      return false;
    }
    const auto& node = blame_.nodes[found->stage];
    const WhyRoot root{.stage = node.stage,
                       .rank = node.rank,
                       .state = found->initial ? State::kWaitInput : State::kWaitCredit,
                       .share = found->gain / (1 + found->gain),
                       .edge = found->edge,
                       .credit = found->credit,
                       .wanted_credit = found->wanted};
    report_.roots.insert(report_.roots.begin(), root);
    report_.verdict = Verdict::kLimited;
    report_.speedup_at_most = 1 + found->gain;
    report_.chain = {{node.stage, node.rank, root.state, nanoseconds(found->waited), found->edge}};
    return true;
  }

  /// Finds the busiest stage besides the root: it cannot go faster than all of its time allows.
  void find_next(std::size_t root) {
    std::size_t next = root;
    for (std::size_t i = 0; i < blame_.nodes.size(); ++i) {
      const bool is_root =
          root != blame_.scheduler() && blame_.nodes[i].stage == blame_.nodes[root].stage;
      if (!is_root && load_of(blame_.nodes[i]) > next_load_) {
        next = i;
        next_load_ = load_of(blame_.nodes[i]);
      }
    }
    if (next_load_ > 0 && root != blame_.scheduler()) {
      report_.next_stage = blame_.nodes[next].stage;
      report_.speedup_at_most = 1 / next_load_;
    }
  }

  /// Follows the most likely walk from the victim that lost most time to the root.
  [[nodiscard]] std::vector<WhyStep> chain_to(std::size_t root) const {
    const auto reach = blame_.reach(root);
    std::size_t victim = blame_.nodes.size();
    double most = 0;
    for (std::size_t i = 0; i < blame_.nodes.size(); ++i) {
      double lost = 0;
      for (const auto& wait : blame_.nodes[i].waits) {
        lost += wait.seconds * reach[wait.target];
      }
      if (is_victim(blame_.nodes[i]) && i != root && lost > most) {
        most = lost;
        victim = i;
      }
    }
    std::vector<WhyStep> chain;
    std::vector<bool> seen(blame_.nodes.size(), false);
    for (std::size_t at = victim; at < blame_.nodes.size() && at != root && !seen[at];) {
      seen[at] = true;
      const BlameGraph::Wait* best = nullptr;
      double weight = 0;
      for (const auto& wait : blame_.nodes[at].waits) {
        if (!seen[wait.target] && wait.seconds * reach[wait.target] > weight) {
          best = &wait;
          weight = wait.seconds * reach[wait.target];
        }
      }
      const auto& node = blame_.nodes[at];
      const bool waits_for_thread =
          root == blame_.scheduler() && node.in(State::kWaitSched) > weight;
      if (best == nullptr || waits_for_thread) {
        break;
      }
      chain.push_back({node.stage, node.rank, best->state, nanoseconds(best->seconds), best->edge});
      at = best->target;
    }
    chain.push_back(last_step(root));
    return chain;
  }

  [[nodiscard]] WhyStep last_step(std::size_t root) const {
    if (root == blame_.scheduler()) {
      double waited = 0;
      for (const auto& node : blame_.nodes) {
        waited += node.in(State::kWaitSched);
      }
      return {"scheduler", Rank{}, State::kWaitSched, nanoseconds(waited), ""};
    }
    const auto& node = blame_.nodes[root];
    const State state = main_state(node);
    return {node.stage, node.rank, state, nanoseconds(node.in(state)), ""};
  }

  /// Follows the longest waits until a stage comes up again.
  [[nodiscard]] std::vector<WhyStep> circle() const {
    std::size_t at = 0;
    for (std::size_t i = 0; i < blame_.nodes.size(); ++i) {
      if (is_victim(blame_.nodes[i]) && blame_.nodes[i].stalled() > blame_.nodes[at].stalled()) {
        at = i;
      }
    }
    std::vector<WhyStep> chain;
    for (std::vector<bool> seen(blame_.nodes.size(), false); !seen[at];) {
      seen[at] = true;
      const auto& node = blame_.nodes[at];
      const auto longest = std::ranges::max_element(node.waits, {}, &BlameGraph::Wait::seconds);
      if (longest == node.waits.end()) {
        break;
      }
      chain.push_back(
          {node.stage, node.rank, longest->state, nanoseconds(longest->seconds), longest->edge});
      at = longest->target;
    }
    return chain;
  }

  /// What the victim did instead of waiting, when there is nobody to blame.
  [[nodiscard]] std::vector<WhyStep> own_account() const {
    for (std::size_t i = 0; i < blame_.nodes.size() && !report_.victim.empty(); ++i) {
      if (is_victim(blame_.nodes[i])) {
        return {last_step(i)};
      }
    }
    return {};
  }

  const Plan& plan_;
  const SessionStatus& after_;
  BlameGraph blame_;
  WhyReport report_;
  std::vector<std::size_t> root_nodes_;
  double next_load_ = 0;
};

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::kLimited: return "limited";
    case Verdict::kPaced: return "paced";
    case Verdict::kBalanced: return "balanced";
    case Verdict::kStuck: return "stuck";
    case Verdict::kEnded: return "ended";
  }
  return "unknown";
}

WhyReport why(const Plan& plan,
              const SessionStatus& before,
              const SessionStatus& after,
              std::string_view stage) {
  return Analysis(plan, before, after, stage).run();
}

}  // namespace askos::dataflow
