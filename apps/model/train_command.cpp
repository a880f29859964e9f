// SPDX-License-Identifier: Apache-2.0
#include "command_line/progress_line.hpp"
#include "command_line/stop_signal.hpp"
#include "command_line/table.hpp"
#include "commands.hpp"
#include "recording/recording_file.hpp"
#include "report.hpp"
#include "run_config_file.hpp"
#include "run_options.hpp"
#include "run_processes.hpp"
#include "run_recording.hpp"
#include "time_limit.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/dataflow/recording.hpp>
#include <askos/model/device.hpp>

#include <nlohmann/json.hpp>

#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;

struct TrainOptions {
  RunOptions run;
  bool fresh = false;
  bool paused = false;
  std::vector<std::string> record;  ///< `STAGE=N`
  std::string resume = "auto";
  std::string time_limit;  ///< empty: none

  /// Whether an earlier run of the folder is forgotten.
  [[nodiscard]] bool starts_over() const { return fresh || resume == "never"; }
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

/// Where a run that fails leaves what was recorded.
fs::path failed_folder(const actors::RunConfig& config) {
  return config.run.folder / "failed";
}

/// Forgets an earlier run of the same folder.
void clear_run(const actors::RunConfig& config) {
  std::error_code fault;
  for (const auto& folder : {actors::checkpoint_folder(config), failed_folder(config)}) {
    if (!fault) {
      fs::remove_all(folder, fault);
    }
  }
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

/// Reads `STAGE=N`.
std::map<std::string, int> stages_to_record(const std::vector<std::string>& texts) {
  std::map<std::string, int> stages;
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    const auto digits = equals == std::string::npos ? "" : text.substr(equals + 1);
    if (equals == 0 || digits.empty() || digits.size() > 6 ||
        digits.find_first_not_of("0123456789") != std::string::npos) {
      throw Error(Errc::kUsage, "a stage to record is not of the form STAGE=N").with("found", text);
    }
    stages[text.substr(0, equals)] = std::stoi(digits);
  }
  return stages;
}

/// Has the last runs of stages written into the run's folder if it fails. What cannot be written
/// must not hide the failure.
void record_failure(actors::RunHooks& hooks, const actors::RunConfig& config) {
  hooks.notes[kConfigNote] = to_toml(config);
  hooks.on_failure_recorded = [folder =
                                   failed_folder(config)](const dataflow::Recording& recording) {
    const auto path =
        folder / (recording.stage + "-rank" + std::to_string(recording.rank.value) + ".h5");
    try {
      std::error_code fault;
      fs::create_directories(folder, fault);  // the file tells what is wrong with it
      write_recording(path, recording);
      std::cerr << "askos: the last " << recording.runs.size() << " runs of " << recording.stage
                << " are in " << path.string() << "\n";
    } catch (const Error& error) {
      std::cerr << "askos: warning: no recording: " << error.what() << "\n";
    }
  };
}

int train(const TrainOptions& options, bool json, StopSignal& stop, RunProcesses& processes) {
  actors::RunConfig config;
  std::map<std::string, int> record;
  std::optional<TimeLimit> limit;
  processes.settle([&] {
    if (options.fresh && options.resume != "auto") {
      throw Error(Errc::kUsage, "--fresh and --resume exclude each other")
          .with("--resume", options.resume);
    }
    record = stages_to_record(options.record);
    config = load(options.run, processes);
    if (!options.time_limit.empty()) {
      limit.emplace(parse_duration(options.time_limit), steady_clock());
    }
  });
  auto hooks = make_hooks(stop, processes, processes.begin(config));
  processes.settle([&] {
    if (options.starts_over() && processes.is_first()) {
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
  hooks.record = record;
  hooks.paused = options.paused;
  record_failure(hooks, config);
  TrainingProgress progress(config.training.steps, json);
  hooks.on_step = [&](const actors::StepReport& report) {
    if (limit) limit->note_step();
    progress.show(report);
  };
  hooks.on_checkpoint = [&](const actors::CheckpointReport& report) {
    if (limit) limit->note_checkpoint(report.stall + report.written);
  };
  hooks.stop_requested = [&, asked = hooks.stop_requested] {
    return asked() || (limit && limit->is_near());
  };
  hooks.provenance = {{"askos", ASKOS_VERSION}, {"config", to_toml(config)}};
  if (options.resume != "auto" && options.resume != "never") {
    hooks.resume_from = options.resume;
  }
  if (!json) {
    std::cout << "training on " << config.run.ranks
              << (processes.are_several() ? " processes (" : " local ranks (")
              << model::describe(own_device(config, processes)) << "), run folder "
              << config.run.folder.lexically_normal().string() << std::endl;
    if (options.paused) {
      std::cout << "held before the first step: askos resume lets it go on" << std::endl;
    }
  }
  const auto result = actors::train(config, hooks);
  progress.finish();
  if (!json && result.first_step > 0) {
    std::cout << "went on from the checkpoint of step " << result.first_step << "\n";
  }
  if (result.stopped_early) {
    if (!json) {
      std::cout << "stopped at step " << result.last_step
                << (limit && limit->is_near() ? " before the time limit" : "")
                << "; the same command goes on from there\n";
    }
    return 0;
  }
  hooks.on_step = {};
  hooks.paused = false;
  config.faults.clear();  // they were the training's
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
  command.add_flag("--paused", options->paused,
                   "begin held, so that a debugger can come before the first step");
  command
      .add_option("--record", options->record,
                  "keep a stage's last runs from the start on, for askos record; written into the "
                  "run's folder if it fails")
      ->type_name("STAGE=N");
  command
      .add_option("--resume", options->resume,
                  "auto: go on from the run's newest checkpoint; never: as --fresh; PATH: begin "
                  "with\na checkpoint, or with the newest of another run")
      ->type_name("auto|never|PATH")
      ->capture_default_str();
  command
      .add_option("--time-limit", options->time_limit,
                  "write a checkpoint and end with exit code 0 before so long has passed, as "
                  "SIGTERM\ndoes: for batch systems")
      ->type_name("DURATION");
  add_common_options(command, line.common);
  command.footer(
      "Examples: askos train examples/storm/train.toml --ranks 2\n"
      "          askos train examples/storm/train.toml --fresh --set training.steps=100\n"
      "          askos train examples/storm/train.toml --time-limit '30 min'\n"
      "          askos train mine.toml --resume runs/storm/checkpoints/step-000000000200\n"
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
