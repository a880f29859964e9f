// SPDX-License-Identifier: Apache-2.0
#include "command_line/table.hpp"
#include "commands.hpp"
#include "device_option.hpp"
#include "parity/cases.hpp"
#include "run_processes.hpp"

#include <askos/base/error.hpp>
#include <askos/model/device.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>

namespace askos::apps {
namespace {

struct Options {
  std::vector<std::string> cases;
  ParityOptions run;
  int num_ranks = 0;  ///< as threads; 0: one, or the processes that there are
  std::string strategy;
  std::string dtype = "float32";
  std::string device = "cpu";
};

std::string scientific(double number) {
  std::ostringstream text;
  text.precision(2);
  text << std::scientific << number;
  return text.str();
}

void print(const std::string& folder, const std::vector<Comparison>& rows, bool json) {
  if (json) {
    for (const auto& row : rows) {
      const nlohmann::ordered_json line = {
          {"case", folder},           {"quantity", row.quantity},   {"max_abs", row.max_abs},
          {"relative", row.relative}, {"tolerance", row.tolerance}, {"pass", row.passes()}};
      std::cout << line.dump() << "\n";
    }
    return;
  }
  Table table({{"quantity", Align::kLeft}, {"max abs"}, {"relative"}, {"tolerance"}, {"pass"}});
  for (const auto& row : rows) {
    table.add({row.quantity, scientific(row.max_abs), scientific(row.relative),
               scientific(row.tolerance), row.passes() ? "yes" : "NO"});
  }
  std::cout << folder << "\n" << table;
}

RankPlace place_ranks(const Options& options, RunProcesses& processes) {
  if (!processes.are_several()) return {.num_ranks = std::max(1, options.num_ranks)};
  if (options.num_ranks > 0) {
    throw Error(Errc::kUsage, "--ranks makes ranks of one process; here each process is one")
        .with("--ranks", options.num_ranks)
        .with("processes", processes.size());
  }
  return {.num_ranks = processes.size(), .processes = processes.ranks()};
}

int parity(const Options& options, bool json, RunProcesses& processes) {
  ParityOptions run = options.run;
  processes.settle([&] { run.ranks = place_ranks(options, processes); });
  run.dtype = parse_dtype(options.dtype);
  run.device = processes.have_gpus() ? model::find_device("cuda")
                                     : rank_device(options.device, run.ranks.num_ranks);
  if (!options.strategy.empty()) {
    run.strategy =
        options.strategy == "heads" ? model::ShardStrategy::kHeads : model::ShardStrategy::kEdges;
  }
  std::string failures;
  for (const auto& folder : options.cases) {
    const auto rows = run_case(folder, run);
    print(folder, rows, json);
    const auto failed = std::ranges::count_if(rows, [](const auto& row) { return !row.passes(); });
    if (!json) {
      std::cout << folder << ": " << rows.size() - static_cast<std::size_t>(failed) << " of "
                << rows.size() << " quantities within tolerance\n\n";
    }
    if (failed > 0) {
      failures += (failures.empty() ? "" : ", ") + folder;
    }
  }
  processes.settle([&] {
    if (failures.empty()) return;
    throw Error(Errc::kCheckFailed,
                "numbers differ from the reference's by more than the tolerance")
        .with("cases", failures);
  });
  return 0;
}

}  // namespace

void add_parity(const ModelLine& line) {
  auto& command = *line.app.add_subcommand(
      "parity", "run reference cases and compare output, loss and gradients");
  auto options = std::make_shared<Options>();
  command.add_option("case", options->cases, "folders of cases")->required();
  command
      .add_option("--ranks", options->num_ranks,
                  "ranks that share the model, as threads of one process; processes of a "
                  "launcher\nare one rank each")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--shard-strategy", options->strategy,
                  "what ranks share while they attend; else as the case says")
      ->check(CLI::IsMember({"edges", "heads"}));
  command
      .add_option("--chunks", options->run.chunks,
                  "pieces of encoder and decoder; 0: none; else as the case says")
      ->check(CLI::Range(0, 1 << 20));
  command
      .add_option("--segments", options->run.segments,
                  "pieces of the processor's layers; 0: none; else as the case says")
      ->check(CLI::Range(0, 1 << 20));
  command
      .add_option("--dtype", options->dtype,
                  "of parameters and activations; bfloat16: of products in linear layers")
      ->check(CLI::IsMember({"float32", "float64", "bfloat16"}))
      ->capture_default_str();
  add_device_option(command, options->device);
  add_common_options(command, line.common);
  command.footer(
      "Examples: askos parity tests/parity/base tests/parity/losses --ranks 3\n"
      "          askos launch --gpus -n 2 -- askos parity tests/parity/base\n"
      "Exit code 7: some quantity is out of tolerance; 2: a folder is no case.");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] {
      RunProcesses processes;
      return processes.run([&] { return parity(*options, common.json, processes); });
    };
  });
}

}  // namespace askos::apps
