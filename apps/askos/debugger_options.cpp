// SPDX-License-Identifier: Apache-2.0
#include "debugger_options.hpp"

#include "command_line/table.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>

#include <poll.h>
#include <unistd.h>

#include <iostream>

namespace askos::apps {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(2);

double seconds(const std::string& duration) {
  return static_cast<double>(parse_duration(duration).count()) * 1e-9;
}

std::string name_of(const DebuggerOptions& options) {
  return options.name.empty() ? "terminal-" + std::to_string(::getsid(0)) : options.name;
}

Error not_reached(const Json& hold, const std::string& waited) {
  Error error(Errc::kStalled, "hold is not reached yet (askos hold shows it)");
  error.with("waited", waited).with("state", hold.at("state").get<std::string>());
  for (const auto& stage : hold.at("stages")) {
    if (!stage.at("may_run").is_null() && !stage.at("held").get<bool>()) {
      error.with("stage", stage.at("stage").get<std::string>())
          .with("rank", stage.at("rank").get<int>())
          .with("is", stage.at("state").get<std::string>());
      break;
    }
  }
  return error;
}

}  // namespace

void add_debugger(CLI::App& command, DebuggerOptions& options) {
  add_graph_selection(command, options.selection);
  command.add_option("--as", options.name, "who holds the graph; default: this terminal session")
      ->type_name("NAME");
  command.add_flag("--take-over", options.take_over, "take the graph from another debugger");
}

void add_holding_debugger(CLI::App& command, DebuggerOptions& options) {
  add_debugger(command, options);
  command
      .add_option("--lease", options.lease,
                  "the graph goes on by itself if no command comes for so long")
      ->capture_default_str();
  command.add_option("--wait", options.wait, "how long to wait until it is reached")
      ->capture_default_str();
}

Json debugger_request(const char* verb, const DebuggerOptions& options) {
  return {{"verb", verb},
          {"debugger", name_of(options)},
          {"lease_s", seconds(options.lease)},
          {"take_over", options.take_over}};
}

Json wait_for_hold(const Found& found, const DebuggerOptions& options) {
  const auto until = steady_clock().now() + parse_duration(options.wait);
  for (;;) {
    Json hold = ask_session(found, {{"verb", "hold"}, {"debugger", name_of(options)}});
    if (hold.at("state") == "paused" || hold.at("state") == "running") return hold;
    if (steady_clock().now() >= until) throw not_reached(hold, options.wait);
    (void)::poll(nullptr, 0, static_cast<int>(kPollInterval.count()));
  }
}

void print_hold(const Json& hold, bool json) {
  if (json) {
    std::cout << hold.dump() << "\n";
    return;
  }
  if (hold.at("state") == "running") {
    std::cout << "running: nothing is held\n";
    return;
  }
  std::cout << hold.at("state").get<std::string>() << " by "
            << hold.at("debugger").get<std::string>() << " ("
            << hold.at("reason").get<std::string>() << ") for "
            << fixed(hold.at("held_s").get<double>(), 1) << " s; goes on by itself in "
            << clock_time(hold.at("lease_left_s").get<double>()) << "\n\n";
  Table table({{"STAGE", Align::kLeft},
               {"RANK"},
               {"RUNS"},
               {"MAY RUN"},
               {"HELD", Align::kLeft},
               {"STATE", Align::kLeft}});
  for (const auto& stage : hold.at("stages")) {
    const Json& may_run = stage.at("may_run");
    table.add({stage.at("stage"), stage.at("rank").dump(), stage.at("runs").dump(),
               may_run.is_null() ? "-" : may_run.dump(), stage.at("held") ? "yes" : "-",
               stage.at("state")});
  }
  std::cout << table;
}

}  // namespace askos::apps
