// SPDX-License-Identifier: Apache-2.0
#include "window_requests.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/forecast_writer.hpp>
#include <askos/actors/graphs.hpp>
#include <askos/actors/metrics_log.hpp>
#include <askos/actors/reader.hpp>
#include <askos/actors/run.hpp>
#include <askos/base/error.hpp>

#include <sys/resource.h>

#include <cmath>
#include <optional>

namespace askos::actors {
namespace {

namespace fs = std::filesystem;
using dataflow::Session;

constexpr Nanoseconds kPollInterval = std::chrono::milliseconds(50);

/// Makes a run's folder if need be and opens its metrics.
std::shared_ptr<MetricsLog> open_metrics(const RunConfig& config) {
  std::error_code fault;
  fs::create_directories(config.run.folder, fault);
  if (fault) {
    throw Error(Errc::kEnvironment, "cannot make the run's folder")
        .with("folder", config.run.folder.string())
        .with("reason", fault.message());
  }
  return std::make_shared<MetricsLog>(config.run.folder / "metrics.jsonl");
}

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
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const auto& reader = dynamic_cast<const Reader&>(*ranks[rank].find_stage("read")->stage);
    const auto& counters = reader.counters();
    metrics.write({{"event", "read"},
                   {"graph", ranks[rank].name()},
                   {"rank", static_cast<std::int64_t>(rank)},
                   {"rows", counters.rows},
                   {"useful_bytes", counters.useful_bytes},
                   {"extra_bytes", counters.extra_bytes}});
  }
}

void record_peak_memory(MetricsLog& metrics) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  metrics.write(
      {{"event", "memory"}, {"peak_resident_bytes", std::int64_t{usage.ru_maxrss} * 1024}});
}

/// Runs one graph on all local ranks to its end. When a stage fails, peers that wait for it in a
/// collective are freed at once instead of at their deadline.
void run_graphs(std::vector<dataflow::Graph> graphs,
                const std::vector<RankContext>& ranks,
                const RunHooks& hooks,
                MetricsLog& metrics,
                StopGate* gate) {
  const auto session = dataflow::start(dataflow::Plan(std::move(graphs)));
  const auto attached = hooks.on_session ? hooks.on_session(*session) : nullptr;
  std::optional<dataflow::Outcome> outcome;
  bool freed = false;
  while (!(outcome = session->wait(kPollInterval))) {
    if (!freed && session->status().state == "failed") {
      for (const auto& rank : ranks) {
        rank.abort("another rank failed");
      }
      freed = true;
    }
    if (gate != nullptr && hooks.stop_requested && hooks.stop_requested()) {
      gate->close();
    }
  }
  if (outcome->failure) {
    auto error = outcome->failure->error;
    throw error.with("stage", outcome->failure->stage).with("rank", outcome->failure->rank);
  }
  record_ledgers(metrics, *session);
  record_reads(metrics, *session);
  record_peak_memory(metrics);
}

std::shared_ptr<const Snapshot> load_trained(const RunContext& run) {
  auto snapshot = load_newest(run);
  if (!snapshot) {
    throw Error(Errc::kNotFound, "run has no checkpoint (train it first)")
        .with("folder", run.config.run.folder.string());
  }
  return snapshot;
}

void record_scores(MetricsLog& metrics, const Evaluation& evaluation) {
  for (const auto& score : evaluation.scores) {
    io::Metadata::Object record{{"event", "score"},           {"split", "test"},
                                {"variable", score.variable}, {"unit", score.unit},
                                {"lead_h", score.lead_hours}, {"cells", score.cells},
                                {"rmse", score.rmse},         {"samples", score.num_samples}};
    record["persistence_rmse"] = score.persistence_rmse;
    if (score.spread > 0) {
      record["spread"] = score.spread;
      record["crps"] = score.crps;
    }
    metrics.write(record);
  }
}

}  // namespace

TrainingResult train(const RunConfig& config, const RunHooks& hooks) {
  const auto run = make_run_context(config);
  const auto metrics = open_metrics(config);
  const auto resume = load_newest(*run);
  const io::CheckpointStore store(checkpoint_folder(config));
  store.remove_leftovers();

  TrainingResult result{.first_step = resume ? resume->step : 0};
  result.last_step = result.first_step;
  if (result.first_step >= config.training.steps) {
    return result;
  }
  const auto ranks = make_local_ranks(run);
  const auto gate = std::make_shared<StopGate>();
  const auto on_step = [&](const StepReport& report) {
    result.last_step = report.result.step + 1;
    if (hooks.on_step) {
      hooks.on_step(report);
    }
  };
  std::vector<dataflow::Graph> graphs;
  for (const auto& rank : ranks) {
    graphs.push_back(training_graph(
        rank, {.resume = resume, .metrics = metrics, .on_step = on_step, .gate = gate}));
  }
  run_graphs(std::move(graphs), ranks, hooks, *metrics, gate.get());
  result.stopped_early = result.last_step < config.training.steps;
  return result;
}

Evaluation evaluate(const RunConfig& config, const RunHooks& hooks) {
  const auto run = make_run_context(config);
  const auto weights = load_trained(*run);
  const auto metrics = open_metrics(config);
  const auto ranks = make_local_ranks(run);
  Evaluation evaluation;
  std::vector<dataflow::Graph> graphs;
  for (const auto& rank : ranks) {
    const auto done = [&evaluation, speaks = rank.is_root()](Evaluation scores) {
      if (speaks) {
        evaluation = std::move(scores);
      }
    };
    graphs.push_back(evaluation_graph(rank, {.weights = weights, .done = done}));
  }
  run_graphs(std::move(graphs), ranks, hooks, *metrics, nullptr);
  record_scores(*metrics, evaluation);
  return evaluation;
}

void forecast(const RunConfig& config, const ForecastOptions& options, const RunHooks& hooks) {
  auto one_model = config;
  one_model.run.ranks_per_model = 0;  // there is one sample: no data-parallel groups
  one_model.run.ranks_per_ensemble = 0;
  const auto run = make_run_context(one_model);
  const auto weights = load_trained(*run);
  const auto metrics = open_metrics(config);
  const auto ranks = make_local_ranks(run);
  const auto& info = run->index->info();
  const auto first = info.time_of(info.row_at(options.from) + 1);
  const int num_writers = options.layout == Layout::kSharded ? static_cast<int>(ranks.size()) : 1;
  const auto file = std::make_shared<ForecastFile>(
      *run, options.out, first, options.num_steps * config.data.num_output_steps, num_writers);
  std::vector<dataflow::Graph> graphs;
  for (const auto& rank : ranks) {
    graphs.push_back(forecast_graph(rank, {.weights = weights,
                                           .file = file,
                                           .from = options.from,
                                           .num_steps = options.num_steps,
                                           .layout = options.layout}));
  }
  run_graphs(std::move(graphs), ranks, hooks, *metrics, nullptr);
}

}  // namespace askos::actors
