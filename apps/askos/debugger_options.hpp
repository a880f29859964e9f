// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "running_graphs.hpp"

#include <string>

namespace askos::apps {

/// Who holds a graph, and how long to wait for it to come about.
struct DebuggerOptions {
  Selection selection;
  std::string name;  ///< empty: this terminal session
  std::string lease = "10 min";
  std::string wait = "10 s";
  bool take_over = false;
};

/// Adds `--pid`, `--session`, `--graph`, `--as` and `--take-over`.
void add_debugger(CLI::App& command, DebuggerOptions& options);

/// Adds `--lease` and `--wait` besides.
void add_holding_debugger(CLI::App& command, DebuggerOptions& options);

/// Makes a request in the debugger's name.
[[nodiscard]] Json debugger_request(const char* verb, const DebuggerOptions& options);

/// Asks for the hold until it is reached or over; throws `Errc::kStalled`, naming a stage that
/// still runs, if that takes longer than the options allow. The order stands even then.
[[nodiscard]] Json wait_for_hold(const Found& found, const DebuggerOptions& options);

/// Prints a hold as JSON or as a table.
void print_hold(const Json& hold, bool json);

}  // namespace askos::apps
