// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "debugger_options.hpp"

#include <askos/base/error.hpp>

#include <charconv>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

struct SetOptions {
  DebuggerOptions debugger;
  std::string stage;
  std::string argument;
  std::string value;
};

/// Reads a flag or a number where it is one; everything else is text, as `5 ms` is.
Json value_of(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  const auto* const end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto [at, fault] = std::from_chars(text.data(), end, whole);
      fault == std::errc{} && at == end) {
    return whole;
  }
  double number = 0;
  if (const auto [at, fault] = std::from_chars(text.data(), end, number);
      fault == std::errc{} && at == end) {
    return number;
  }
  return text;
}

std::string print(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Ranks that are processes change their argument before the same run only while all stand; one
/// process sees to that by itself.
Json change(const Found& found, const SetOptions& options, const Json& request) {
  if (found.row.at("processes").empty() || !found.row.at("hold").is_null()) {
    const Json answer = ask_session(found, request);
    (void)wait_for_hold(found, options.debugger);
    return answer;
  }
  (void)ask_session(found, debugger_request("pause", options.debugger));
  const auto go_on = [&] {
    (void)ask_session(found, debugger_request("resume", options.debugger));
  };
  try {
    (void)wait_for_hold(found, options.debugger);
    Json answer = ask_session(found, request);
    go_on();
    return answer;
  } catch (...) {
    go_on();
    throw;
  }
}

int set(const SetOptions& options, bool json) {
  const auto found = find_one(options.debugger.selection);
  Json request = debugger_request("set", options.debugger);
  request["stage"] = options.stage;
  request["argument"] = options.argument;
  request["value"] = value_of(options.value);
  const Json answer = change(found, options, request);
  if (json) {
    std::cout << answer.dump() << "\n";
  } else {
    std::cout << options.stage << ": " << options.argument << " " << print(answer.at("before"))
              << " -> " << print(answer.at("value")) << "\n";
  }
  return 0;
}

}  // namespace

void add_set(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "set", "give an argument of a running stage another value, before the same run on all ranks");
  const auto options = std::make_shared<SetOptions>();
  command.add_option("stage", options->stage, "which stage")->type_name("STAGE")->required();
  command.add_option("argument", options->argument, "which of its arguments")
      ->type_name("KEY")
      ->required();
  command.add_option("value", options->value, "as in the graph's file: 5 ms, 0.001, true")
      ->type_name("VALUE")
      ->required();
  add_holding_debugger(command, options->debugger);
  add_common_options(command, line.common);
  command.footer(
      "Examples: askos set work service '5 ms'\n"
      "          askos set compute learning_rate 5e-4\n"
      "A stage says what can change while it runs and refuses the rest with the reason: service, "
      "distribution and\nspread of synthetic stages; interval, burst and pause of a source; "
      "learning_rate (the peak of the schedule) and\nfinal_learning_rate of compute in a training "
      "run. Checkpoints do not keep it: the configuration holds again\nwhen the run is resumed.");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return set(*options, common.json); };
  });
}

}  // namespace askos::apps
