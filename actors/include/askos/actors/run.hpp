// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/evaluator.hpp>
#include <askos/actors/gather.hpp>
#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/actors/run_config.hpp>
#include <askos/dataflow/session.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace askos::actors {

/// How a program follows a run and ends it early, and where it runs. All may be empty.
struct RunHooks {
  std::function<void(const StepReport&)> on_step;
  /// Called with each session that starts, for instance to attach an inspector; what it returns is
  /// destroyed before the session is.
  std::function<std::shared_ptr<void>(const dataflow::Session&)> on_session;
  std::function<bool()> stop_requested;  ///< asked several times a second
  std::function<void(const CheckpointReport&)> on_checkpoint = {};  ///< on rank 0
  io::Metadata::Object provenance = {};  ///< what checkpoints say of their making besides
  /// A checkpoint to begin with, or a run to take its newest; empty: the run's own newest.
  std::filesystem::path resume_from = {};
  /// This process's rank among others; nothing: all ranks are threads of this process.
  std::shared_ptr<const ProcessPlace> place;
  bool paused = false;  ///< sessions begin held, for whoever comes (`dataflow::kAnyDebugger`)
  /// What recordings of a training run carry along.
  std::map<std::string, std::string> notes{};
  /// Stages of a training run, and how many of their last runs to keep from the start on.
  std::map<std::string, int> record{};
  /// Called with what was kept of these and of others that somebody records, when the run has
  /// failed.
  std::function<void(const dataflow::Recording&)> on_failure_recorded{};
};

struct TrainingResult {
  std::int64_t first_step = 0;  ///< > 0 if it went on from a checkpoint
  std::int64_t last_step = 0;   ///< number of steps made in all
  bool stopped_early = false;
};

/// Trains, going on from the run folder's newest checkpoint or as `resume_from` says. Records
/// steps, memory, bytes read and ledgers in `metrics.jsonl`; leaves a checkpoint of the last step.
/// Of several processes all call it, as they do the two below; the first one writes.
[[nodiscard]] TrainingResult train(const RunConfig& config, const RunHooks& hooks = {});

/// Scores the newest checkpoint on the test rows and records the scores. Throws `Errc::kNotFound`
/// if there is no checkpoint.
[[nodiscard]] Evaluation evaluate(const RunConfig& config, const RunHooks& hooks = {});

struct ForecastOptions {
  std::filesystem::path out;
  io::Time from;  ///< time of the last input step
  std::int64_t num_steps = 1;
  Layout layout = Layout::kSharded;  ///< sharded: one writer a rank; rooted: one for all
};

/// Runs the newest checkpoint forward and writes its states as a dataset.
void forecast(const RunConfig& config, const ForecastOptions& options, const RunHooks& hooks = {});

}  // namespace askos::actors
