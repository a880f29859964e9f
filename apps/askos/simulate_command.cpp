// SPDX-License-Identifier: Apache-2.0
#include "command_line/table.hpp"
#include "commands.hpp"
#include "graph_options.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/simulation.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

using Json = nlohmann::ordered_json;

struct SimulateOptions {
  GraphOptions graph;
  int ranks = 1;
  int num_seeds = 100;
  unsigned seed = 1;
  std::int64_t num_steps = 20'000;
  int num_kept_steps = 20;
  std::vector<std::string> faults{"slow", "late"};
};

dataflow::SimulatedFaults faults_of(const SimulateOptions& options) {
  const auto has = [&](const char* fault) {
    return std::ranges::find(options.faults, fault) != options.faults.end();
  };
  return {.slow = has("slow"), .late_rank = has("late"), .drop = has("drop"), .fail = has("fail")};
}

Json to_json(const dataflow::SimulationReport& report) {
  Json finding;
  if (report.finding) {
    Json steps = Json::array();
    for (const auto& step : report.finding->steps) {
      steps.push_back({{"step", step.number},
                       {"time_s", static_cast<double>(step.time.count()) * 1e-9},
                       {"stage", step.stage},
                       {"rank", step.rank.value},
                       {"runs", step.num_runs},
                       {"edges", step.edges}});
    }
    finding = {{"seed", report.finding->seed},
               {"what", report.finding->what},
               {"detail", report.finding->detail},
               {"steps", std::move(steps)}};
  }
  return {{"seeds", report.num_seeds},
          {"steps", report.num_steps},
          {"fingerprint", report.fingerprint},
          {"finding", std::move(finding)}};
}

void print(const dataflow::SimulationFinding& finding) {
  std::cout << "seed " << finding.seed << ": " << finding.what << ": " << finding.detail << "\n\n"
            << "the last turns of that seed:\n";
  Table table({{"STEP"},
               {"TIME", Align::kRight},
               {"STAGE", Align::kLeft},
               {"RUNS"},
               {"IN FLIGHT", Align::kLeft}});
  for (const auto& step : finding.steps) {
    table.add({std::to_string(step.number),
               fixed(static_cast<double>(step.time.count()) * 1e-6, 3) + " ms",
               step.stage + "@" + std::to_string(step.rank.value), std::to_string(step.num_runs),
               step.edges});
  }
  std::cout << table;
}

int simulate(const SimulateOptions& options, bool json) {
  const auto limits = load(options.graph).limits;
  const auto make = [&] {
    std::vector<dataflow::Graph> graphs;
    for (int rank = 0; rank < options.ranks; ++rank) {
      graphs.push_back(load(options.graph).graph);
    }
    return graphs;
  };
  const auto report = dataflow::simulate(make, limits,
                                         {.first_seed = options.seed,
                                          .num_seeds = options.num_seeds,
                                          .num_steps = options.num_steps,
                                          .faults = faults_of(options),
                                          .num_kept_steps = options.num_kept_steps});
  if (json) {
    std::cout << to_json(report).dump() << "\n";
  } else if (report.finding) {
    print(*report.finding);
  } else {
    std::cout << report.num_seeds << " seeds, " << report.num_steps
              << " turns of stages: nothing stalls and no invariant breaks\n";
  }
  if (!report.finding) {
    return 0;
  }
  throw Error(report.finding->what == "stall" ? Errc::kStalled : Errc::kCheckFailed,
              "simulation found something")
      .with("seed", report.finding->seed)
      .with("what", report.finding->what)
      .with("again", "askos simulate " + options.graph.path + " --seed " +
                         std::to_string(report.finding->seed) + " --seeds 1");
}

}  // namespace

void add_simulate(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "simulate",
      "run a graph on virtual time with many schedules and injected faults: does it ever stall?");
  const auto options = std::make_shared<SimulateOptions>();
  add_graph_options(command, options->graph);
  command.add_option("--ranks", options->ranks, "so many ranks, all with this graph")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command.add_option("--seeds", options->num_seeds, "how many schedules to try")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_option("--seed", options->seed, "the first of them")->capture_default_str();
  command.add_option("--turns", options->num_steps, "turns of stages per seed; then it must drain")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  command.add_option("--steps", options->num_kept_steps, "turns to show of the seed that stalls")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command
      .add_option("--faults", options->faults, "what may go wrong: slow, late (a rank), drop, fail")
      ->delimiter(',')
      ->check(CLI::IsMember({"slow", "late", "drop", "fail", "none"}))
      ->capture_default_str();
  add_common_options(command, line.common);
  command.footer(
      "Example: askos simulate examples/graphs/diamond.toml --seeds 1000 --faults slow,fail\n"
      "Exit codes: 0 nothing found, 3 a stall, 7 a broken invariant or a failure.");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return simulate(*options, common.json); };
  });
}

}  // namespace askos::apps
