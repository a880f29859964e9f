// SPDX-License-Identifier: Apache-2.0
#include "command_line/progress_line.hpp"
#include "command_line/stop_signal.hpp"
#include "command_line/table.hpp"
#include "commands.hpp"
#include "device_option.hpp"
#include "report.hpp"
#include "run_options.hpp"
#include "run_processes.hpp"
#include "run_recording.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/base/error.hpp>
#include <askos/model/device.hpp>

#include <nlohmann/json.hpp>

#include <iostream>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;

struct TrainOptions {
  RunOptions run;
  bool fresh = false;
};

/// Shows a bar with loss and pace; prints losses as JSON lines instead if asked to.
class TrainingProgress {
 public:
  TrainingProgress(std::int64_t num_steps, bool json) : num_steps_(num_steps), json_(json) {}

  void show(const actors::StepReport& report) {
    const auto done = report.result.step + 1;
    if (first_step_ < 0) {
      first_step_ = report.result.step;
      first_at_ = report.at;
    }
    if (json_) {
      const nlohmann::ordered_json line = {
          {"event", "step"}, {"step", report.result.step}, {"loss", report.result.loss}};
      std::cout << line.dump() << std::endl;
      return;
    }
    if (done < num_steps_ && report.at - shown_at_ < line_.interval()) {
      return;
    }
    shown_at_ = report.at;
    line_.show(progress_bar(done, num_steps_) + "  step " + std::to_string(done) + "/" +
               std::to_string(num_steps_) + "  loss " + fixed(report.result.loss, 4) +
               pace(done, report.at));
  }

  void finish() { line_.finish(); }

 private:
  [[nodiscard]] std::string pace(std::int64_t done, Nanoseconds at) const {
    if (done - first_step_ < 2) {
      return "";
    }
    const double per_step = std::chrono::duration<double>(at - first_at_).count() /
                            static_cast<double>(done - first_step_ - 1);
    return "  " + fixed(1000 * per_step, 0) + " ms/step  " +
           clock_time(per_step * static_cast<double>(num_steps_ - done)) + " left";
  }

  std::int64_t num_steps_;
  bool json_;
  ProgressLine line_;
  std::int64_t first_step_ = -1;
  Nanoseconds first_at_{};
  Nanoseconds shown_at_{};
};

/// Forgets an earlier run of the same folder.
void clear_run(const actors::RunConfig& config) {
  std::error_code fault;
  fs::remove_all(actors::checkpoint_folder(config), fault);
  for (const char* name : {"metrics.jsonl", "maps.json", "report.html", "spans.jsonl",
                           "train.pftrace", "evaluate.pftrace"}) {
    if (!fault) {
      fs::remove(config.run.folder / name, fault);
    }
  }
  if (fault) {
    throw Error(Errc::kEnvironment, "cannot clear the run's folder")
        .with("folder", config.run.folder.string())
        .with("reason", fault.message());
  }
}

/// A report that cannot be made must not cost a finished run.
void try_report(const actors::RunConfig& config, bool json) {
  try {
    const auto path = write_report(config.run.folder);
    if (!json) {
      std::cout << "\nreport: " << path.string() << "\n";
    }
  } catch (const Error& error) {
    std::cerr << "askos: warning: no report: " << error.what() << "\n";
  }
}

int train(const TrainOptions& options, bool json, StopSignal& stop, RunProcesses& processes) {
  actors::RunConfig config;
  processes.settle([&] { config = load(options.run, processes); });
  auto hooks = make_hooks(stop, processes, processes.begin(config));
  processes.settle([&] {
    if (options.fresh && processes.is_first()) {
      clear_run(config);
    }
  });
  if (processes.is_first()) record_run(hooks, config.run.folder);
  // Not before all else has been accepted: the folder may hold the run of another model.
  hooks.on_session = [&, attach = hooks.on_session](const dataflow::Session& session) {
    if (processes.is_first()) {
      write_resolved(config);
    }
    return attach(session);
  };
  TrainingProgress progress(config.training.steps, json);
  hooks.on_step = [&](const actors::StepReport& report) { progress.show(report); };
  if (!json) {
    std::cout << "training on " << config.run.ranks
              << (processes.are_several() ? " processes (" : " local ranks (")
              << model::describe(rank_device(config.run.device, config.run.ranks))
              << "), run folder " << config.run.folder.lexically_normal().string() << std::endl;
  }
  const auto result = actors::train(config, hooks);
  progress.finish();
  if (!json && result.first_step > 0) {
    std::cout << "went on from the checkpoint of step " << result.first_step << "\n";
  }
  if (result.stopped_early) {
    if (!json) {
      std::cout << "stopped at step " << result.last_step
                << "; the same command goes on from there\n";
    }
    return 0;
  }
  hooks.on_step = {};
  const auto evaluation = actors::evaluate(config, hooks);
  if (processes.is_first()) {
    print_scores(evaluation, json);
    write_maps(config, evaluation);
    try_report(config, json);
  }
  return 0;
}

}  // namespace

void add_train(const ModelLine& line) {
  auto& command = *line.app.add_subcommand(
      "train", "train a model, score it on the test rows and write a report");
  auto options = std::make_shared<TrainOptions>();
  add_run_options(command, options->run, "configuration file");
  command.add_flag("--fresh", options->fresh,
                   "forget checkpoints and metrics of an earlier run; without it, training goes "
                   "on from the newest checkpoint");
  add_common_options(command, line.common);
  command.footer(
      "Examples: askos train examples/storm/train.toml --ranks 2\n"
      "          askos train examples/storm/train.toml --fresh --set training.steps=100\n"
      "          mpirun -n 2 askos train examples/storm/train.toml\n"
      "Keys of --set are those of the file: training.steps, model.dtype, run.folder, ...");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] {
      StopSignal stop;
      RunProcesses processes;
      return processes.run([&] { return train(*options, common.json, stop, processes); });
    };
  });
}

}  // namespace askos::apps
