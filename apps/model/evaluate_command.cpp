// SPDX-License-Identifier: Apache-2.0
#include "command_line/stop_signal.hpp"
#include "commands.hpp"
#include "report.hpp"
#include "run_options.hpp"
#include "run_processes.hpp"
#include "run_recording.hpp"

#include <iostream>

namespace askos::apps {
namespace {

int evaluate(const RunOptions& options, bool json, StopSignal& stop, RunProcesses& processes) {
  actors::RunConfig config;
  processes.settle([&] { config = load(options, processes); });
  auto hooks = make_hooks(stop, processes, processes.begin(config));
  if (processes.is_first()) record_run(hooks, config.run.folder);
  const auto evaluation = actors::evaluate(config, hooks);
  if (!processes.is_first()) {
    return 0;
  }
  print_scores(evaluation, json);
  write_maps(config, evaluation);
  const auto path = write_report(config.run.folder);
  if (!json) {
    std::cout << "\nreport: " << path.string() << "\n";
  }
  return 0;
}

}  // namespace

void add_evaluate(const ModelLine& line) {
  auto& command =
      *line.app.add_subcommand("evaluate", "score a run's newest checkpoint on the test rows");
  auto options = std::make_shared<RunOptions>();
  add_run_options(command, *options, "the run's folder");
  add_common_options(command, line.common);
  command.footer("Example: askos evaluate runs/storm --ranks 3");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] {
      StopSignal stop;
      RunProcesses processes;
      return processes.run([&] { return evaluate(*options, common.json, stop, processes); });
    };
  });
}

}  // namespace askos::apps
