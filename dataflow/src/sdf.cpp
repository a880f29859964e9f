// SPDX-License-Identifier: Apache-2.0
#include "sdf.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <utility>

namespace askos::dataflow::sdf {
namespace {

struct Fraction {
  std::int64_t above = 0;
  std::int64_t below = 1;

  [[nodiscard]] Fraction times(std::int64_t factor, std::int64_t divisor) const {
    const auto over = above * factor;
    const auto under = below * divisor;
    const auto common = std::gcd(over, under);
    return {over / common, under / common};
  }
  bool operator==(const Fraction&) const = default;
};

std::vector<std::vector<std::size_t>> edges_by_actor(const Net& net) {
  std::vector<std::vector<std::size_t>> touching(static_cast<std::size_t>(net.num_actors));
  for (std::size_t i = 0; i < net.edges.size(); ++i) {
    touching[static_cast<std::size_t>(net.edges[i].from)].push_back(i);
    if (net.edges[i].to != net.edges[i].from) {
      touching[static_cast<std::size_t>(net.edges[i].to)].push_back(i);
    }
  }
  return touching;
}

/// Makes the fractions of one connected part the smallest whole numbers of the same proportions.
void make_whole(const std::vector<std::size_t>& part,
                const std::vector<Fraction>& speeds,
                std::vector<std::int64_t>& firings) {
  std::int64_t multiple = 1;
  for (const auto actor : part) multiple = std::lcm(multiple, speeds[actor].below);
  std::int64_t common = 0;
  for (const auto actor : part) {
    firings[actor] = speeds[actor].above * (multiple / speeds[actor].below);
    common = std::gcd(common, firings[actor]);
  }
  for (const auto actor : part) firings[actor] /= common;
}

/// The state of a simulation: packets on each edge, those that `simulate` has taken are gone.
class Simulation {
 public:
  Simulation(const Net& net, const std::vector<std::int64_t>& firings)
      : net_(net), touching_(edges_by_actor(net)), left_(firings) {
    for (const auto& edge : net.edges) tokens_.push_back(edge.initial);
  }

  void run() {
    std::deque<std::size_t> candidates;
    for (std::size_t actor = 0; actor < left_.size(); ++actor) candidates.push_back(actor);
    while (!candidates.empty()) {
      const auto actor = candidates.front();
      candidates.pop_front();
      bool fired = false;
      while (can_fire(actor)) {
        fire(actor);
        fired = true;
      }
      if (!fired) continue;
      for (const auto edge : touching_[actor]) {
        const auto& [from, to, made, taken, initial, capacity] = net_.edges[edge];
        candidates.push_back(static_cast<std::size_t>(from));
        candidates.push_back(static_cast<std::size_t>(to));
      }
    }
  }

  [[nodiscard]] Halt halt() const {
    Halt halt{.complete = true};
    for (std::size_t actor = 0; actor < left_.size(); ++actor) {
      if (left_[actor] == 0) continue;
      halt.complete = false;
      bool lacks_packets = false;
      for (const auto edge : touching_[actor]) {
        if (!has_packets(actor, edge)) {
          lacks_packets = true;
          halt.empty.push_back(edge);
        }
      }
      if (lacks_packets) continue;
      for (const auto edge : touching_[actor]) {
        if (!has_room(actor, edge)) halt.full.push_back(edge);
      }
    }
    return halt;
  }

 private:
  [[nodiscard]] bool has_packets(std::size_t actor, std::size_t edge) const {
    return net_.edges[edge].to != static_cast<int>(actor) ||
           tokens_[edge] >= net_.edges[edge].taken;
  }
  [[nodiscard]] bool has_room(std::size_t actor, std::size_t edge) const {
    return net_.edges[edge].from != static_cast<int>(actor) ||
           tokens_[edge] + net_.edges[edge].made <= net_.edges[edge].capacity;
  }
  [[nodiscard]] bool can_fire(std::size_t actor) const {
    return left_[actor] > 0 && std::ranges::all_of(touching_[actor], [&](std::size_t edge) {
             return has_packets(actor, edge) && has_room(actor, edge);
           });
  }
  void fire(std::size_t actor) {
    --left_[actor];
    for (const auto edge : touching_[actor]) {
      if (net_.edges[edge].from == static_cast<int>(actor)) tokens_[edge] += net_.edges[edge].made;
      if (net_.edges[edge].to == static_cast<int>(actor)) tokens_[edge] -= net_.edges[edge].taken;
    }
  }

  const Net& net_;
  std::vector<std::vector<std::size_t>> touching_;
  std::vector<std::int64_t> left_;
  std::vector<std::int64_t> tokens_;
};

/// The next larger capacity that can make a difference.
std::int64_t next_capacity(const Edge& edge, std::int64_t capacity) {
  const std::int64_t step = std::gcd(edge.made, edge.taken);
  const auto beyond = capacity + 1 - edge.initial;
  const auto aligned = beyond <= 0 ? 0 : (beyond + step - 1) / step * step;
  return std::max(capacity + 1, aligned + edge.initial);
}

Net with_capacities(Net net, const std::vector<std::int64_t>& capacities) {
  for (std::size_t i = 0; i < capacities.size(); ++i) net.edges[i].capacity = capacities[i];
  return net;
}

/// Raises whatever is full until the net runs; then lowers each edge as far as it goes.
std::optional<Capacities> sufficient_capacities(const Net& net,
                                                const std::vector<std::int64_t>& firings,
                                                std::vector<std::int64_t> values) {
  const auto lowest = values;
  for (;;) {
    const auto halt = simulate(with_capacities(net, values), firings);
    if (halt.complete) break;
    if (halt.full.empty()) return std::nullopt;
    for (const auto edge : halt.full) values[edge] = next_capacity(net.edges[edge], values[edge]);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto low = lowest[i];
    while (low < values[i]) {
      auto trial = values;
      trial[i] = low + (values[i] - low) / 2;
      if (simulate(with_capacities(net, trial), firings).complete) {
        values[i] = trial[i];
      } else {
        low = trial[i] + 1;
      }
    }
  }
  return Capacities{std::move(values), /*smallest=*/false};
}

}  // namespace

Balance balance(const Net& net) {
  const auto num_actors = static_cast<std::size_t>(net.num_actors);
  const auto touching = edges_by_actor(net);
  std::vector<Fraction> speeds(num_actors);
  Balance result{.firings = std::vector<std::int64_t>(num_actors, 1)};
  for (std::size_t root = 0; root < num_actors; ++root) {
    if (speeds[root].above != 0) continue;
    speeds[root] = {1, 1};
    std::vector<std::size_t> part{root};
    for (std::size_t i = 0; i < part.size(); ++i) {
      for (const auto index : touching[part[i]]) {
        const auto& edge = net.edges[index];
        const auto from = static_cast<std::size_t>(edge.from);
        const auto to = static_cast<std::size_t>(edge.to);
        const bool forward = from == part[i];
        const auto other = forward ? to : from;
        const auto speed = forward ? speeds[from].times(edge.made, edge.taken)
                                   : speeds[to].times(edge.taken, edge.made);
        if (speeds[other].above == 0) {
          speeds[other] = speed;
          part.push_back(other);
        } else if (speeds[other] != speed) {
          result.unbalanced.push_back(index);
        }
      }
    }
    make_whole(part, speeds, result.firings);
  }
  std::ranges::sort(result.unbalanced);
  const auto repeated = std::ranges::unique(result.unbalanced);
  result.unbalanced.erase(repeated.begin(), repeated.end());
  return result;
}

Halt simulate(const Net& net, const std::vector<std::int64_t>& firings) {
  Simulation simulation(net, firings);
  simulation.run();
  return simulation.halt();
}

std::optional<Capacities> smallest_capacities(const Net& net,
                                              const std::vector<std::int64_t>& firings,
                                              int max_steps) {
  std::vector<std::int64_t> start;
  for (const auto& edge : net.edges) start.push_back(edge.capacity);
  using Candidate = std::pair<std::int64_t, std::vector<std::int64_t>>;  // sum, values
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  std::set<std::vector<std::int64_t>> seen{start};
  queue.emplace(0, start);
  for (int step = 0; !queue.empty(); ++step) {
    if (step == max_steps) return sufficient_capacities(net, firings, start);
    const auto [increase, values] = queue.top();
    queue.pop();
    const auto halt = simulate(with_capacities(net, values), firings);
    if (halt.complete) return Capacities{values};
    for (const auto edge : halt.full) {
      auto larger = values;
      larger[edge] = next_capacity(net.edges[edge], values[edge]);
      const auto sum = increase + larger[edge] - values[edge];
      if (seen.insert(larger).second) queue.emplace(sum, std::move(larger));
    }
  }
  return std::nullopt;
}

}  // namespace askos::dataflow::sdf
