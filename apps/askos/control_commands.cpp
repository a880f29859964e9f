// SPDX-License-Identifier: Apache-2.0
// The commands that hold a running graph: pause, step, hold, resume, drain.
#include "command_line/table.hpp"
#include "commands.hpp"
#include "debugger_options.hpp"

#include <askos/base/clock.hpp>

#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

/// What pause, step and resume are asked for.
struct HoldOptions {
  DebuggerOptions debugger;
  std::string stage;
  std::int64_t count = 1;
  std::string deadline = "30 s";
};

void add_stage(CLI::App& command, HoldOptions& options, const char* help) {
  command.add_option("stage", options.stage, help)->type_name("STAGE");
}

/// Sends the request and waits until what it wants has come about.
int hold(const HoldOptions& options, Json request, bool json) {
  if (!options.stage.empty()) {
    request["stage"] = options.stage;
  }
  const auto found = find_one(options.debugger.selection);
  (void)ask_session(found, std::move(request));
  print_hold(wait_for_hold(found, options.debugger), json);
  return 0;
}

int show_hold(const HoldOptions& options, bool json) {
  const auto found = find_one(options.debugger.selection);
  print_hold(ask_session(found, debugger_request("hold", options.debugger)), json);
  return 0;
}

int drain(const HoldOptions& options, bool json) {
  const auto deadline = parse_duration(options.deadline);
  const auto answer = ask_session(
      find_one(options.debugger.selection),
      {{"verb", "drain"}, {"deadline_s", static_cast<double>(deadline.count()) * 1e-9}});
  std::cout << (json ? answer.dump() : answer.at("state").get<std::string>()) << "\n";
  return 0;
}

/// Adds a command that asks for nothing but its verb, of the graph or one stage.
void add_switch(const CommandLine& line,
                const char* verb,
                const char* description,
                const char* stage_help,
                const char* example) {
  auto& command = *line.app.add_subcommand(verb, description);
  const auto options = std::make_shared<HoldOptions>();
  add_stage(command, *options, stage_help);
  add_holding_debugger(command, options->debugger);
  add_common_options(command, line.common);
  command.footer(example);
  command.callback([&common = line.common, &action = line.action, options, verb] {
    action = [&common, options, verb] {
      return hold(*options, debugger_request(verb, options->debugger), common.json);
    };
  });
}

}  // namespace

void add_pause(const CommandLine& line) {
  add_switch(line, "pause",
             "stop a running graph, or one of its stages, between two runs: the same ones on all "
             "ranks",
             "pause this stage only", "Example: askos pause compute --lease 1h");
}

void add_step(const CommandLine& line) {
  auto& command =
      *line.app.add_subcommand("step", "let the stages of a paused graph do some runs more");
  const auto options = std::make_shared<HoldOptions>();
  command.add_option("count", options->count, "runs of each stage")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000'000))
      ->capture_default_str();
  add_stage(command, *options, "step this stage only");
  add_holding_debugger(command, options->debugger);
  add_common_options(command, line.common);
  command.footer("Example: askos step 5");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] {
      Json request = debugger_request("step", options->debugger);
      request["count"] = options->count;
      return hold(*options, std::move(request), common.json);
    };
  });
}

void add_hold(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "hold", "show what a debugger holds of a running graph; the holder's lease starts anew");
  const auto options = std::make_shared<HoldOptions>();
  add_debugger(command, options->debugger);
  add_common_options(command, line.common);
  command.footer("Example: askos hold --json");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return show_hold(*options, common.json); };
  });
}

void add_resume(const CommandLine& line) {
  add_switch(line, "resume", "let a paused graph, or one stage, go on", "resume this stage only",
             "Example: askos resume");
}

void add_drain(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "drain", "end a running graph: stop its sources and deliver what is in flight");
  const auto options = std::make_shared<HoldOptions>();
  add_graph_selection(command, options->debugger.selection);
  command.add_option("--deadline", options->deadline, "after this the rest is dropped")
      ->capture_default_str();
  add_common_options(command, line.common);
  command.footer("Example: askos drain --deadline 5s");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return drain(*options, common.json); };
  });
}

}  // namespace askos::apps
