// SPDX-License-Identifier: Apache-2.0
// The commands that ask running processes: ps, top, why, dot.
#include "command_line/progress_line.hpp"
#include "command_line/stop_signal.hpp"
#include "command_line/table.hpp"
#include "commands.hpp"
#include "graph_options.hpp"
#include "running_graphs.hpp"
#include "top_text.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/inspector.hpp>

#include <poll.h>

#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

constexpr auto kRefresh = std::chrono::seconds(1);

/// The state, and how long a debugger may still hold the graph.
std::string state_of(const Json& row) {
  const Json& hold = row.at("hold");
  if (hold.is_null()) {
    return row.at("state");
  }
  const double left = std::max(0.0, hold.at("lease_left_s").get<double>());
  return hold.at("state").get<std::string>() + " by " + hold.at("debugger").get<std::string>() +
         ", " + clock_time(left) + " left";
}

int ps(const Selection& selection, bool json) {
  Table table({{"PID"},
               {"SESSION"},
               {"GRAPH", Align::kLeft},
               {"RANKS"},
               {"STAGES"},
               {"AGE"},
               {"PACKETS/S"},
               {"STATE", Align::kLeft},
               {"ROOT CAUSE", Align::kLeft}});
  Json rows = Json::array();
  for (const auto& [socket, row] : find_sessions(selection)) {
    rows.push_back(row);
    table.add({row.at("pid").dump(), row.at("session").dump(), row.at("graph"),
               row.at("ranks").dump(), row.at("stages").dump(),
               clock_time(row.at("age_s").get<double>()),
               fixed(row.at("packets_per_s").get<double>(), 1), state_of(row), row.at("root")});
  }
  if (json) {
    std::cout << rows.dump() << "\n";
  } else if (rows.empty()) {
    std::cout << "no graph is running\n";
  } else {
    std::cout << table;
  }
  return 0;
}

void print_top(const Json& row, const Json& top, std::ostream& out) {
  out << top.at("graph").get<std::string>() << " (pid " << row.at("pid") << ")  "
      << top.at("state").get<std::string>() << "  " << clock_time(top.at("age_s").get<double>())
      << "  " << fixed(top.at("packets_per_s").get<double>(), 1) << " packets/s  "
      << top.at("why").at("phrase").get<std::string>() << "  (last "
      << fixed(top.at("window_s").get<double>(), 1) << " s)\n\n";
  print_stages(top, out);
  out << "\n";
  print_edges(top, out);
  out << "\n" << top.at("why").at("text").get<std::string>();
}

void top_once(const std::vector<Found>& sessions,
              const Selection& selection,
              bool json,
              std::ostream& out) {
  for (const auto& found : sessions) {
    const Json top = ask_session(found, window_request("top", selection));
    if (json) {
      out << top.dump() << "\n";
    } else {
      print_top(found.row, top, out);
    }
  }
}

int top(const Selection& selection, bool json, bool once) {
  auto sessions = find_some(selection);
  if (once || json || !stdout_is_terminal()) {
    top_once(sessions, selection, json, std::cout);
    return 0;
  }
  for (StopSignal stop; !stop.arrived() && !sessions.empty(); sessions = find_sessions(selection)) {
    std::ostringstream screen;
    top_once(sessions, selection, json, screen);
    std::cout << "\x1b[H\x1b[2J" << screen.str() << std::flush;
    pollfd entry{.fd = stop.descriptor(), .events = POLLIN, .revents = 0};
    (void)::poll(&entry, 1, std::chrono::milliseconds(kRefresh).count());
  }
  return 0;
}

int why(const Selection& selection, const std::string& stage, bool json) {
  const auto sessions = find_some(selection);
  for (const auto& found : sessions) {
    Json request = window_request("why", selection);
    if (!stage.empty()) {
      request["stage"] = stage;
    }
    const Json answer = ask_session(found, request);
    if (json) {
      std::cout << answer.dump() << "\n";
      continue;
    }
    if (sessions.size() > 1) {
      std::cout << found.row.at("graph").get<std::string>() << " (pid " << found.row.at("pid")
                << ")\n";
    }
    std::cout << answer.at("text").get<std::string>();
  }
  return 0;
}

int dot(const Selection& selection, const GraphOptions& file, bool json) {
  std::string text;
  if (!file.path.empty()) {
    text = dataflow::to_dot(load(file).graph);
  } else {
    text = ask_session(find_one(selection), {{"verb", "dot"}}).at("dot").get<std::string>();
  }
  std::cout << (json ? Json({{"dot", text}}).dump() + "\n" : text);
  return 0;
}

}  // namespace

void add_ps(const CommandLine& line) {
  auto& command = *line.app.add_subcommand("ps", "list running graphs and what limits them");
  auto selection = std::make_shared<Selection>();
  add_selection(command, *selection);
  add_common_options(command, line.common);
  command.footer("Example: askos ps");
  command.callback([&common = line.common, &action = line.action, selection] {
    action = [&common, selection] { return ps(*selection, common.json); };
  });
}

void add_top(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "top", "show where stages spend their time; refreshes on a terminal, prints once elsewhere");
  auto selection = std::make_shared<Selection>();
  auto once = std::make_shared<bool>(false);
  add_selection(command, *selection);
  command.add_flag("--once", *once, "print once on a terminal too");
  add_common_options(command, line.common);
  command.footer("Example: askos top --graph chain");
  command.callback([&common = line.common, &action = line.action, selection, once] {
    action = [&common, selection, once] { return top(*selection, common.json, *once); };
  });
}

void add_why(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "why", "tell why a running graph, or one of its stages, waits: the chain to the root cause");
  auto selection = std::make_shared<Selection>();
  auto stage = std::make_shared<std::string>();
  command.add_option("stage", *stage, "ask about this stage only")->type_name("STAGE");
  add_selection(command, *selection);
  add_common_options(command, line.common);
  command.footer("Example: askos why sink --window 2s");
  command.callback([&common = line.common, &action = line.action, selection, stage] {
    action = [&common, selection, stage] { return why(*selection, *stage, common.json); };
  });
}

void add_dot(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "dot", "print a graph for Graphviz: of a file, or of a running process with its edges' load");
  auto selection = std::make_shared<Selection>();
  auto file = std::make_shared<GraphOptions>();
  add_graph_options(command, *file);
  command.get_option("graph")->required(false);
  add_selection(command, *selection);
  add_common_options(command, line.common);
  command.footer("Example: askos dot examples/graphs/diamond.toml | dot -Tsvg > diamond.svg");
  command.callback([&common = line.common, &action = line.action, selection, file] {
    action = [&common, selection, file] { return dot(*selection, *file, common.json); };
  });
}

}  // namespace askos::apps
