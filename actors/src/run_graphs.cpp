// SPDX-License-Identifier: Apache-2.0
#include "run_graphs.hpp"

#include "run_recordings.hpp"
#include "window_requests.hpp"

#include <askos/actors/reader.hpp>
#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/agreement.hpp>
#include <askos/model/operator_tracing.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace askos::actors {
namespace {

using dataflow::Session;

constexpr Nanoseconds kPollInterval = std::chrono::milliseconds(50);
/// A stage that waits for a lost rank says so itself, with more to tell than its process knows.
constexpr Nanoseconds kStageSpeaks = std::chrono::milliseconds(500);

double seconds(Nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

/// Records each stage's time in each state, and how far the states miss the wall time.
void record_ledgers(MetricsLog& metrics, const Session& session) {
  const auto status = session.status();
  for (const auto& stage : status.stages) {
    const auto& ledger = stage.ledger;
    io::Metadata::Object states;
    Nanoseconds sum{};
    for (std::size_t s = 0; s < telemetry::kNumStates; ++s) {
      const auto state = static_cast<telemetry::State>(s);
      states[std::string(telemetry::to_string(state))] = seconds(ledger.in(state));
      sum += ledger.in(state);
    }
    const auto wall = ledger.at - ledger.opened;
    metrics.write({{"event", "ledger"},
                   {"graph", status.graph},
                   {"stage", stage.stage},
                   {"rank", stage.rank.value},
                   {"runs", stage.num_runs},
                   {"wall_s", seconds(wall)},
                   {"closure_error", std::abs(seconds(sum - wall)) / seconds(wall)},
                   {"states", states}});
  }
}

/// Records how much each rank's reader read: its shard, and what CRCs needed besides.
void record_reads(MetricsLog& metrics, const Session& session) {
  const auto& ranks = session.plan().ranks();
  const int first = session.plan().first_rank().value;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto& reader = dynamic_cast<const Reader&>(*ranks[rank].find_stage("read")->stage);
    const auto& counters = reader.counters();
    metrics.write({{"event", "read"},
                   {"graph", ranks[rank].name()},
                   {"rank", first + static_cast<int>(rank)},
                   {"rows", counters.rows},
                   {"useful_bytes", counters.useful_bytes},
                   {"extra_bytes", counters.extra_bytes}});
  }
}

void record_peak_memory(MetricsLog& metrics, const Session& session) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  metrics.write({{"event", "memory"},
                 {"first_rank", session.plan().first_rank().value},
                 {"peak_resident_bytes", std::int64_t{usage.ru_maxrss} * 1024}});
}

/// Names the edge that brought the packet a stage failed on.
std::string first_edge_into(const dataflow::Graph& graph, const std::string& stage) {
  for (std::size_t e = 0; e < graph.edges().size(); ++e) {
    const auto name = graph.edge_name(EdgeId{static_cast<int>(e)});
    if (name.find(">" + stage + ".") != std::string::npos) {
      return name;
    }
  }
  return {};
}

/// Says where a failure happened besides what it was, unless it says so already.
Error describe(const dataflow::StageFailure& failure, const dataflow::Plan& plan) {
  Error error = failure.error;
  const auto knows = [&](const std::string& key) {
    return std::ranges::any_of(error.values(), [&](const auto& each) { return each.first == key; });
  };
  if (knows("stage") || failure.stage.empty()) {
    return error;
  }
  error.with("stage", failure.stage).with("rank", failure.rank);
  if (error.code() == Errc::kRankLost) {
    error.with("edge", first_edge_into(plan.graph_of(failure.rank), failure.stage));
  }
  return error;
}

/// Ends the run on the other ranks when it has failed on one: those that wait for it in a
/// collective are freed at once instead of at their deadline. Returns whether it has failed;
/// `known_at` is when a failure elsewhere was first heard of.
bool free_peers(Session& session,
                const std::vector<RankContext>& ranks,
                const RunHooks& hooks,
                std::optional<Nanoseconds>& known_at) {
  const auto* place = hooks.place.get();
  if (const auto failure = session.status().failure) {
    if (place != nullptr) {
      place->fail(describe(*failure, session.plan()));
    }
    for (const auto& rank : ranks) {
      rank.abort("another rank failed");
    }
    return true;
  }
  if (const auto elsewhere = place != nullptr ? place->failure() : std::nullopt) {
    const auto now = steady_clock().now();
    if (!known_at) known_at = now;
    if (now - *known_at < kStageSpeaks) return false;
    session.stop(dataflow::StageFailure{
        .stage = "", .rank = session.plan().first_rank(), .error = *elsewhere});
    return true;
  }
  return false;
}

/// Brings the lines that the other processes have kept into the first one's file.
void collect(MetricsLog& metrics, const ProcessPlace* place) {
  if (place == nullptr) {
    return;
  }
  const bool first = is_first(place);
  const auto lines = comm::exchange_texts(*place->settling, first ? "" : metrics.take());
  for (std::size_t rank = 1; first && rank < lines.size(); ++rank) {
    metrics.append(lines[rank]);
  }
}

}  // namespace

bool is_first(const ProcessPlace* place) {
  return place == nullptr || place->ranks->rank() == 0;
}

/// Does what may fail by input or environment: on all processes or, as far as they go on, on none.
void settle(const ProcessPlace* place, const std::function<void()>& step) {
  if (place == nullptr) {
    step();
  } else {
    comm::settle(*place->settling, step);
  }
}

void run_graphs(const std::vector<RankContext>& ranks,
                const std::function<dataflow::Graph(const RankContext&)>& make_graph,
                const RunHooks& hooks,
                MetricsLog& metrics,
                StopGate* gate) {
  std::optional<dataflow::Plan> plan;
  settle(hooks.place.get(), [&] {
    std::vector<dataflow::Graph> graphs;
    for (const auto& rank : ranks) {
      graphs.push_back(make_graph(rank));
    }
    plan.emplace(std::move(graphs), dataflow::PlanLimits{}, Rank{ranks.front().mesh.rank()});
  });
  const auto session = dataflow::start(
      *std::move(plan), {.paused = hooks.paused, .trace_operators = model::trace_operators});
  const auto attached = hooks.on_session ? hooks.on_session(*session) : nullptr;
  std::optional<dataflow::Outcome> outcome;
  bool freed = false;
  std::optional<Nanoseconds> known_at;
  while (!(outcome = session->wait(kPollInterval))) {
    if (!freed && free_peers(*session, ranks, hooks, known_at)) {
      freed = true;
      if (gate != nullptr) gate->close();
    }
    if (gate != nullptr && hooks.stop_requested && hooks.stop_requested()) {
      gate->request();
    }
  }
  if (outcome->failure) {
    give_recordings(*session, hooks.on_failure_recorded);
    throw Error(describe(*outcome->failure, session->plan()));
  }
  record_ledgers(metrics, *session);
  record_reads(metrics, *session);
  record_peak_memory(metrics, *session);
  collect(metrics, hooks.place.get());
}

}  // namespace askos::actors
