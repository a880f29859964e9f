// SPDX-License-Identifier: Apache-2.0
#include "blame_graph.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace askos::dataflow {
namespace {

using telemetry::State;
using Matrix = std::vector<std::vector<double>>;

/// Chance per step that a walk is given up, so that circles of waits absorb walks as well.
constexpr double kLeak = 1e-6;
/// Less than this fraction of a stage's time is not worth passing on.
constexpr double kLeastPassedOn = 1e-3;

constexpr std::array kOwnStates{State::kBusyCpu, State::kBusyGpu, State::kWaitComm,
                                State::kWaitIo,  State::kWaitMem, State::kPaused};

/// Solves `matrix * x = right` by elimination with row pivots. The matrix is I minus a stochastic
/// one that leaks, so it is regular.
std::vector<double> solve(Matrix matrix, std::vector<double> right) {
  const std::size_t n = right.size();
  for (std::size_t column = 0; column < n; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < n; ++row) {
      if (std::abs(matrix[row][column]) > std::abs(matrix[pivot][column])) {
        pivot = row;
      }
    }
    std::swap(matrix[column], matrix[pivot]);
    std::swap(right[column], right[pivot]);
    for (std::size_t row = column + 1; row < n; ++row) {
      const double factor = matrix[row][column] / matrix[column][column];
      if (factor == 0) {
        continue;
      }
      for (std::size_t k = column; k < n; ++k) {
        matrix[row][k] -= factor * matrix[column][k];
      }
      right[row] -= factor * right[column];
    }
  }
  for (std::size_t row = n; row-- > 0;) {
    for (std::size_t k = row + 1; k < n; ++k) {
      right[row] -= matrix[row][k] * right[k];
    }
    right[row] /= matrix[row][row];
  }
  return right;
}

double seconds_between(std::int64_t before_ns, std::int64_t after_ns) {
  return static_cast<double>(std::max<std::int64_t>(0, after_ns - before_ns)) * 1e-9;
}

std::int64_t at(const std::vector<std::int64_t>& values, std::size_t index) {
  return index < values.size() ? values[index] : 0;
}

}  // namespace

double BlameGraph::Node::stalled() const noexcept {
  return in(State::kWaitInput) + in(State::kWaitCredit) + passed_on;
}

double BlameGraph::Node::own() const noexcept {
  double sum = 0;
  for (const State state : kOwnStates) {
    sum += in(state);
  }
  return std::max(0.0, sum - passed_on);
}

BlameGraph::BlameGraph(const Plan& plan, const SessionStatus& before, const SessionStatus& after) {
  const StageStatus none{};
  for (std::size_t i = 0; i < after.stages.size(); ++i) {
    const StageStatus& now = after.stages[i];
    const StageStatus& then = i < before.stages.size() ? before.stages[i] : none;
    Node node{.stage = now.stage, .rank = now.rank, .num_runs = now.num_runs - then.num_runs};
    for (std::size_t s = 0; s < telemetry::kNumStates; ++s) {
      node.seconds[s] = seconds_between(then.ledger.times[s], now.ledger.times[s]);
      node.active += static_cast<State>(s) == State::kOff ? 0 : node.seconds[s];
    }
    nodes.push_back(std::move(node));
  }
  // Rank by rank, those of other processes too if they are in the readings.
  for (std::size_t first = 0; !plan.ranks().empty() && first < nodes.size();) {
    const Graph& graph = plan.graph_of(nodes[first].rank);
    for (std::size_t i = 0; i < graph.stages().size(); ++i) {
      nodes[first + i].is_source = graph.stages()[i].stage->inputs().empty();
    }
    for (std::size_t e = 0; e < graph.edges().size(); ++e) {
      const auto& [from, to, options] = graph.edges()[e];
      const auto producer = first + static_cast<std::size_t>(graph.id_of(from->owner()).value);
      const auto consumer = first + static_cast<std::size_t>(graph.id_of(to->owner()).value);
      const std::string name = graph.edge_name(EdgeId{static_cast<int>(e)});
      const auto add = [&](std::size_t waiting, std::size_t target, State state, auto member,
                           std::size_t place) {
        const auto& then = waiting < before.stages.size() ? before.stages[waiting] : none;
        const double seconds =
            seconds_between(at(then.*member, place), at(after.stages[waiting].*member, place));
        if (seconds > 0) {
          nodes[waiting].waits.push_back({target, state, name, seconds});
        }
      };
      add(consumer, producer, State::kWaitInput, &StageStatus::wait_input_ns,
          static_cast<std::size_t>(to->index()));
      add(producer, consumer, State::kWaitCredit, &StageStatus::wait_credit_ns, e);
    }
    first += graph.stages().size();
  }
  blame_late_ranks(plan);
  blame_holders(plan);
}

void BlameGraph::pass_on(std::size_t from, Wait wait) {
  if (wait.seconds <= kLeastPassedOn * nodes[from].active) return;
  nodes[from].passed_on += wait.seconds;
  nodes[from].waits.push_back(std::move(wait));
}

/// In each collective a rank waits from its arrival to the last one's, so over many of them it has
/// waited longer than another by as much as the other came later than it. What even the latest one
/// waited is the transfer itself.
void BlameGraph::blame_late_ranks(const Plan& plan) {
  const auto num_stages = plan.ranks().empty() ? 0 : plan.ranks().front().stages().size();
  const auto num_ranks = num_stages == 0 ? 0 : nodes.size() / num_stages;  // of all processes
  for (std::size_t i = 0; i < num_stages; ++i) {
    const auto communicator = plan.ranks().front().stages()[i].stage->communicator();
    if (communicator.empty()) continue;
    const auto comm = [&](std::size_t rank) {
      return nodes[rank * num_stages + i].in(State::kWaitComm);
    };
    for (std::size_t early = 0; early < num_ranks; ++early) {
      double least = comm(early);
      double sum = 0;
      for (std::size_t late = 0; late < num_ranks; ++late) {
        least = std::min(least, comm(late));
        sum += std::max(0.0, comm(early) - comm(late));
      }
      for (std::size_t late = 0; late < num_ranks && sum > 0; ++late) {
        const double share = std::max(0.0, comm(early) - comm(late)) / sum;
        pass_on(early * num_stages + i, {late * num_stages + i, State::kWaitComm, communicator,
                                         share * (comm(early) - least)});
      }
    }
  }
}

/// Who waits for a pool waits for what is downstream of it to let go. If that is busy all the time,
/// it is behind the wait; the idler it is, the more the pool itself is too small.
void BlameGraph::blame_holders(const Plan& plan) {
  for (std::size_t first = 0; !plan.ranks().empty() && first < nodes.size();) {
    const Graph& graph = plan.graph_of(nodes[first].rank);
    for (std::size_t i = 0; i < graph.stages().size(); ++i) {
      const double waited = nodes[first + i].in(State::kWaitMem);
      if (waited == 0) continue;
      std::vector<bool> seen(graph.stages().size(), false);
      std::vector<std::size_t> open{i};
      std::size_t busiest = i;
      double most = 0;
      while (!open.empty()) {
        const auto at = open.back();
        open.pop_back();
        if (seen[at]) continue;
        seen[at] = true;
        for (const auto& edge : graph.edges()) {
          if (graph.id_of(edge.from->owner()).value != static_cast<int>(at)) continue;
          const auto to = static_cast<std::size_t>(graph.id_of(edge.to->owner()).value);
          const auto& node = nodes[first + to];
          const double load = node.active > 0 ? node.own() / node.active : 0;
          if (to != i && load > most) {
            most = load;
            busiest = to;
          }
          open.push_back(to);
        }
      }
      if (busiest != i) {
        pass_on(first + i, {first + busiest, State::kWaitMem, "pool", waited * most * most});
      }
    }
    first += graph.stages().size();
  }
}

double BlameGraph::absorption(std::size_t node, std::size_t root) const {
  const Node& from = nodes[node];
  double total = from.own() + from.in(State::kWaitSched);
  for (const auto& wait : from.waits) {
    total += wait.seconds;
  }
  if (root == nodes.size() + node) {
    return total > 0 ? kLeak : 1;  // one that did nothing in the window keeps what comes to it
  }
  if (total == 0) {
    return 0;
  }
  const double keep = (1 - kLeak) / total;
  return root == node          ? keep * from.own()
         : root == scheduler() ? keep * from.in(State::kWaitSched)
                               : 0;
}

namespace {

/// I minus the matrix of steps from node to node, transposed on request.
Matrix step_matrix(const std::vector<BlameGraph::Node>& nodes, bool transposed) {
  Matrix matrix(nodes.size(), std::vector<double>(nodes.size(), 0));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    matrix[i][i] += 1;
    double total = nodes[i].own() + nodes[i].in(State::kWaitSched);
    for (const auto& wait : nodes[i].waits) {
      total += wait.seconds;
    }
    for (const auto& wait : nodes[i].waits) {
      auto& cell = transposed ? matrix[wait.target][i] : matrix[i][wait.target];
      cell -= (1 - kLeak) * wait.seconds / total;
    }
  }
  return matrix;
}

}  // namespace

std::vector<double> BlameGraph::absorb(const std::vector<double>& start) const {
  const auto visits = solve(step_matrix(nodes, /*transposed=*/true), start);
  std::vector<double> ends(2 * nodes.size() + 1, 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const std::size_t root : {i, nodes.size() + i, scheduler()}) {
      ends[root] += visits[i] * absorption(i, root);
    }
  }
  return ends;
}

std::vector<double> BlameGraph::reach(std::size_t root) const {
  std::vector<double> right(nodes.size(), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    right[i] = absorption(i, root);
  }
  return solve(step_matrix(nodes, /*transposed=*/false), right);
}

}  // namespace askos::dataflow
