// SPDX-License-Identifier: Apache-2.0
#include "command_line/delegate.hpp"
#include "command_line/error_report.hpp"
#include "commands.hpp"
#include "launch/launch_command.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>

#include <malloc.h>

#include <algorithm>
#include <array>

namespace askos::apps {
namespace {

/// Commands that need LibTorch, HDF5 or an HTTP server, which take longer to load than this program
/// to run.
constexpr std::array<DelegatedVerb, 12> kDelegated{
    {{"import", "askos-data", "turn NetCDF files into a dataset"},
     {"verify", "askos-data", "check a dataset's structure and checksums"},
     {"checkpoint", "askos-data", "look at checkpoints, check, convert them"},
     {"record", "askos-data", "keep the last runs of a stage of a running graph"},
     {"replay", "askos-data", "do a stage's recorded runs again, alone"},
     {"train", "askos-model", "train a model"},
     {"evaluate", "askos-model", "score a trained model against persistence"},
     {"forecast", "askos-model", "run a trained model forward"},
     {"memory", "askos-model", "plan and measure the memory of a training step"},
     {"parity", "askos-model", "compare with a reference's numbers"},
     {"weights", "askos-model", "look at weights, import and export them"},
     {"ui", "askos-ui", "see and steer a running graph in a browser"}}};

std::string delegated_help() {
  std::string text = "Data, models, browser:\n";
  for (const auto& [verb, program, help] : kDelegated) {
    std::string line = "  " + std::string(verb);
    line.resize(30, ' ');
    text += line + std::string(help) + "\n";
  }
  return text +
         "\nEach command explains itself: askos COMMAND --help\n"
         "Example: askos run examples/graphs/chain.toml\n"
         "Exit codes: 0 done, 1 our bug, 2 wrong usage or input, 3 stall or missed drain deadline, "
         "4 rank lost,\n5 plan refused, 6 environment, 7 a check failed";
}

void check_verb(const CLI::App& app, const std::string& verb) {
  std::vector<std::string> known;
  for (const auto* command : app.get_subcommands({})) {
    known.push_back(command->get_name());
  }
  std::ranges::transform(kDelegated, std::back_inserter(known),
                         [](const auto& entry) { return std::string(entry.verb); });
  if (!verb.starts_with('-') && std::ranges::find(known, verb) == known.end()) {
    Error error(Errc::kUsage, "unknown command");
    error.with("command", verb);
    suggest(error, verb, known);
    throw error;
  }
}

int run(int argc, char** argv) {
  if (argc > 1) {
    const auto delegated = std::ranges::find(kDelegated, argv[1], &DelegatedVerb::verb);
    if (delegated != kDelegated.end()) {
      delegate(*delegated, argv);
    }
  }
  CLI::App app("askos: weather models as a dataflow graph of actors", "askos");
  app.set_version_flag("--version", "askos " ASKOS_VERSION);
  app.require_subcommand(1);
  app.footer(delegated_help());
  CommonOptions common;
  std::function<int()> action;
  const CommandLine line{app, common, action};
  add_run(line);
  add_check(line);
  add_ps(line);
  add_top(line);
  add_why(line);
  add_dot(line);
  add_pause(line);
  add_step(line);
  add_hold(line);
  add_resume(line);
  add_peek(line);
  add_break(line);
  add_credit(line);
  add_set(line);
  add_drain(line);
  add_simulate(line);
  add_launch(line);
  add_trace(line);
  for (auto* command : app.get_subcommands({})) {
    command->group(command->get_name() == "launch" ? "Ranks as processes" : "Graphs");
  }
  if (argc < 2) {
    throw Error(Errc::kUsage, "no command; askos --help lists them");
  }
  check_verb(app, argv[1]);
  if (const auto code = parse(app, argc, argv, common)) {
    return *code;
  }
  return action();
}

}  // namespace
}  // namespace askos::apps

int main(int argc, char** argv) {
  // Freed payloads go back to the system at once: what allocators keep for later would come on top
  // of the bound that the plan prints.
  ::mallopt(M_MMAP_THRESHOLD, 256 << 10);
  return askos::apps::run_reporting([&] { return askos::apps::run(argc, argv); });
}
