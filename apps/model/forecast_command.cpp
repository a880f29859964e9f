// SPDX-License-Identifier: Apache-2.0
#include "command_line/stop_signal.hpp"
#include "commands.hpp"
#include "run_options.hpp"
#include "run_processes.hpp"

#include <nlohmann/json.hpp>

#include <iostream>

namespace askos::apps {
namespace {

struct ForecastOptions {
  RunOptions run;
  std::string from;
  std::int64_t num_steps = 4;
  std::string out = "forecast.h5";
  std::string writers = "parallel";
};

int forecast(const ForecastOptions& options, bool json, StopSignal& stop, RunProcesses& processes) {
  actors::RunConfig config;
  actors::ForecastOptions wanted;
  processes.settle([&] {
    config = load(options.run, processes);
    wanted = {
        .out = options.out,
        .from = io::parse_time(options.from),
        .num_steps = options.num_steps,
        .layout = options.writers == "one" ? actors::Layout::kRooted : actors::Layout::kSharded};
  });
  actors::forecast(config, wanted, make_hooks(stop, processes, processes.begin(config)));
  if (json) {
    const nlohmann::ordered_json line = {{"path", options.out}, {"steps", options.num_steps}};
    std::cout << line.dump() << "\n";
  } else {
    std::cout << "wrote " << options.num_steps << " steps from " << io::format_time(wanted.from)
              << " to " << options.out << "\n";
  }
  return 0;
}

}  // namespace

void add_forecast(const ModelLine& line) {
  auto& command = *line.app.add_subcommand("forecast", "run a trained model forward");
  auto options = std::make_shared<ForecastOptions>();
  add_run_options(command, options->run, "the run's folder");
  command.add_option("--from", options->from, "time of the last analysis, as 1996-01-17T00:00")
      ->required();
  command.add_option("--steps", options->num_steps, "how often the model runs")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command.add_option("--out", options->out, "dataset to write")->capture_default_str();
  command
      .add_option("--writers", options->writers,
                  "parallel: each rank writes its cells; one: they are gathered first")
      ->check(CLI::IsMember({"parallel", "one"}))
      ->capture_default_str();
  add_common_options(command, line.common);
  command.footer(
      "Example: askos forecast runs/storm --from 1996-01-17T00:00 --steps 8 --out forecast.h5");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] {
      StopSignal stop;
      RunProcesses processes;
      return processes.run([&] { return forecast(*options, common.json, stop, processes); });
    };
  });
}

}  // namespace askos::apps
