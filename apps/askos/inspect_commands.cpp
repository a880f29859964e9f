// SPDX-License-Identifier: Apache-2.0
// The commands that ask running processes: ps, why, dot.
#include "command_line/table.hpp"
#include "commands.hpp"
#include "graph_options.hpp"
#include "running_graphs.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/inspector.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

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

/// Lists the other processes of runs that have some; a clock is that of the first process plus so
/// much.
void print_processes(const Json& rows, std::ostream& out) {
  Table table({{"PID OF RUN"}, {"RANK"}, {"HOST", Align::kLeft}, {"PID"}, {"CLOCK"}, {"+/-"}});
  bool has_any = false;
  for (const auto& row : rows) {
    for (const auto& process : row.at("processes")) {
      const auto milliseconds = [&](const char* key) {
        return fixed(process.at(key).get<double>() * 1e-6, 3) + " ms";
      };
      const bool answers = process.at("answers").get<bool>();
      table.add({row.at("pid").dump(), process.at("rank").dump(), process.at("host"),
                 process.at("pid").dump(), answers ? milliseconds("clock_offset_ns") : "silent",
                 answers ? milliseconds("clock_error_ns") : ""});
      has_any = true;
    }
  }
  if (has_any) {
    out << "\n" << table;
  }
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
    print_processes(rows, std::cout);
  }
  return 0;
}

/// Reads `STAGE=2x` or `EDGE=4`.
Json what_if_request(const std::string& change, const Selection& selection) {
  Json request = window_request("what_if", selection);
  const auto sign = change.rfind('=');
  const auto subject = change.substr(0, sign);
  auto value = sign == std::string::npos ? "" : change.substr(sign + 1);
  const bool is_factor = value.ends_with('x');
  if (is_factor) {
    value.pop_back();
  }
  double number = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool is_number = fault == std::errc() && end == value.data() + value.size();
  if (subject.empty() || !is_number || !std::isfinite(number) || number <= 0 ||
      (!is_factor && number != std::floor(number))) {
    throw Error(Errc::kUsage, "no change to predict")
        .with("what-if", change)
        .with("expected", "STAGE=2x (twice as fast) or EDGE=4 (credit of 4)");
  }
  if (is_factor) {
    request["stage"] = subject;
    request["times"] = number;
  } else {
    request["edge"] = subject;
    request["credit"] = static_cast<std::int64_t>(std::min(number, 1e9));
  }
  return request;
}

int what_if(const Selection& selection, const std::vector<std::string>& changes, bool json) {
  std::vector<Json> requests;
  for (const auto& change : changes) {
    requests.push_back(what_if_request(change, selection));
  }
  const auto found = find_one(selection);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Json answer = ask_session(found, requests[i]);
    if (json) {
      Json row{{"what_if", changes[i]}};
      row.update(answer);
      std::cout << row.dump() << "\n";
      continue;
    }
    const double gain = answer.at("gain").get<double>();
    std::cout << "what if " << changes[i] << ": "
              << fixed(answer.at("packets_per_s").get<double>(), 1) << " -> "
              << fixed(answer.at("predicted_per_s").get<double>(), 1) << " packets/s ("
              << (gain < 0 ? "" : "+") << fixed(100 * gain, 0) << " %), then limited by "
              << answer.at("limit").get<std::string>() << "\n";
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

void add_why(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "why", "tell why a running graph, or one of its stages, waits: the chain to the root cause");
  auto selection = std::make_shared<Selection>();
  auto stage = std::make_shared<std::string>();
  auto changes = std::make_shared<std::vector<std::string>>();
  auto* const about =
      command.add_option("stage", *stage, "ask about this stage only")->type_name("STAGE");
  command
      .add_option("--what-if", *changes,
                  "predict instead what a change would bring: STAGE=2x (twice as fast), EDGE=4 "
                  "(credit of 4); several are predicted one by one")
      ->type_name("CHANGE")
      ->excludes(about);
  add_selection(command, *selection);
  add_common_options(command, line.common);
  command.footer(
      "Examples: askos why sink --window 2s\n"
      "          askos why --what-if b=2x --what-if 'a.out>b.in=4'");
  command.callback([&common = line.common, &action = line.action, selection, stage, changes] {
    action = [&common, selection, stage, changes] {
      return changes->empty() ? why(*selection, *stage, common.json)
                              : what_if(*selection, *changes, common.json);
    };
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
