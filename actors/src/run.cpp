// SPDX-License-Identifier: Apache-2.0
#include "run_graphs.hpp"
#include "run_recordings.hpp"
#include "window_requests.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/forecast_writer.hpp>
#include <askos/actors/graphs.hpp>
#include <askos/actors/metrics_log.hpp>
#include <askos/actors/run.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/agreement.hpp>

#include <string>
#include <utility>

namespace askos::actors {
namespace {

namespace fs = std::filesystem;

/// Makes a run's folder if need be and opens its metrics; on the first process, the others keep
/// theirs for it.
std::shared_ptr<MetricsLog> open_metrics(const RunConfig& config, const ProcessPlace* place) {
  if (!is_first(place)) {
    return std::make_shared<MetricsLog>();
  }
  std::error_code fault;
  fs::create_directories(config.run.folder, fault);
  if (fault) {
    throw Error(Errc::kEnvironment, "cannot make the run's folder")
        .with("folder", config.run.folder.string())
        .with("reason", fault.message());
  }
  return std::make_shared<MetricsLog>(config.run.folder / "metrics.jsonl");
}

std::shared_ptr<const Snapshot> load_trained(const RunContext& run) {
  auto snapshot = load_newest(run);
  if (!snapshot) {
    throw Error(Errc::kNotFound, "run has no checkpoint (train it first)")
        .with("folder", run.config.run.folder.string());
  }
  return snapshot;
}

/// Returns what a training begins with; nothing: from the start.
std::shared_ptr<const Snapshot> find_start(const RunContext& run, const fs::path& from) {
  auto own = load_newest(run);
  if (from.empty()) {
    return own;
  }
  if (own) {
    throw Error(Errc::kUsage,
                "run has checkpoints of its own (--resume auto goes on from them, "
                "--fresh forgets them)")
        .with("folder", checkpoint_folder(run.config).string())
        .with("newest", own->step)
        .with("--resume", from.string());
  }
  return load_from(run, from);
}

/// Makes sure that all processes see the same dataset and go on from the same checkpoint.
void expect_same_state(const ProcessPlace* place, const RunContext& run, const Snapshot* snapshot) {
  if (place == nullptr) {
    return;
  }
  const auto& info = run.index->info();
  comm::expect_same(*place->settling,
                    {{"dataset uuid", info.uuid},
                     {"dataset rows", std::to_string(info.num_rows)},
                     {"checkpoint", snapshot ? "step " + std::to_string(snapshot->step) : "none"}});
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
  const auto* place = hooks.place.get();
  std::shared_ptr<const RunContext> run;
  std::shared_ptr<MetricsLog> metrics;
  std::shared_ptr<const Snapshot> resume;
  settle(place, [&] {
    run = make_run_context(config);
    metrics = open_metrics(config, place);
    resume = find_start(*run, hooks.resume_from);
  });
  expect_same_state(place, *run, resume.get());
  if (is_first(place)) {
    io::CheckpointStore(checkpoint_folder(config)).remove_leftovers();
  }

  TrainingResult result{.first_step = resume ? resume->step : 0};
  result.last_step = result.first_step;
  if (result.first_step >= config.training.steps) {
    return result;
  }
  const auto ranks = make_ranks(run, place);
  const auto gate = std::make_shared<StopGate>();
  const auto on_step = [&](const StepReport& report) {
    result.last_step = report.result.step + 1;
    if (hooks.on_step) {
      hooks.on_step(report);
    }
  };
  const auto graph = [&](const RankContext& rank) {
    auto made = training_graph(rank, {.resume = resume,
                                      .metrics = metrics,
                                      .on_step = on_step,
                                      .checkpoints = {.metrics = metrics,
                                                      .provenance = hooks.provenance,
                                                      .on_checkpoint = hooks.on_checkpoint},
                                      .gate = gate});
    prepare_recordings(made, *run, hooks);
    return made;
  };
  run_graphs(ranks, graph, hooks, *metrics, gate.get());
  if (place != nullptr) {
    place->settling->broadcast({&result.last_step, 1, DType::kInt64}, 0)->wait();
  }
  result.stopped_early = result.last_step < config.training.steps;
  return result;
}

Evaluation evaluate(const RunConfig& config, const RunHooks& hooks) {
  const auto* place = hooks.place.get();
  std::shared_ptr<const RunContext> run;
  std::shared_ptr<MetricsLog> metrics;
  std::shared_ptr<const Snapshot> weights;
  settle(place, [&] {
    run = make_run_context(config);
    weights = load_trained(*run);
    metrics = open_metrics(config, place);
  });
  expect_same_state(place, *run, weights.get());
  Evaluation evaluation;
  const auto graph = [&](const RankContext& rank) {
    const auto done = [&evaluation, speaks = rank.is_root()](Evaluation scores) {
      if (speaks) {
        evaluation = std::move(scores);
      }
    };
    return evaluation_graph(rank, {.weights = weights, .done = done});
  };
  run_graphs(make_ranks(run, place), graph, hooks, *metrics, nullptr);
  record_scores(*metrics, evaluation);
  return evaluation;
}

void forecast(const RunConfig& config, const ForecastOptions& options, const RunHooks& hooks) {
  const auto* place = hooks.place.get();
  auto one_model = config;
  one_model.run.ranks_per_model = 0;  // there is one sample: no data-parallel groups
  one_model.run.ranks_per_ensemble = 0;
  std::shared_ptr<const RunContext> run;
  std::shared_ptr<MetricsLog> metrics;
  std::shared_ptr<const Snapshot> weights;
  io::Time first;
  settle(place, [&] {
    run = make_run_context(one_model);
    weights = load_trained(*run);
    metrics = open_metrics(config, place);
    const auto& info = run->index->info();
    first = info.time_of(info.row_at(options.from) + 1);
  });
  expect_same_state(place, *run, weights.get());
  const auto ranks = make_ranks(run, place);
  const auto file = std::make_shared<ForecastFile>(*run, options.out, first,
                                                   options.num_steps * config.data.num_output_steps,
                                                   place ? place->settling : nullptr);
  const auto graph = [&](const RankContext& rank) {
    return forecast_graph(rank, {.weights = weights,
                                 .file = file,
                                 .from = options.from,
                                 .num_steps = options.num_steps,
                                 .layout = options.layout});
  };
  run_graphs(ranks, graph, hooks, *metrics, nullptr);
  file->finish();
}

}  // namespace askos::actors
