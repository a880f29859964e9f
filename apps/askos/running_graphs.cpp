// SPDX-License-Identifier: Apache-2.0
#include "running_graphs.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/dataflow/inspector.hpp>

namespace askos::apps {
void add_graph_selection(CLI::App& command, Selection& selection) {
  command.add_option("--pid", selection.pid, "only the graphs of this process");
  command.add_option("--session", selection.session, "only the session of this number");
  command.add_option("--graph", selection.graph, "only graphs of this name");
}

void add_selection(CLI::App& command, Selection& selection) {
  add_graph_selection(command, selection);
  command.add_option("--window", selection.window, "how far to look back, at most 10 s")
      ->capture_default_str();
}

Json ask_json(const std::filesystem::path& socket, const Json& request) {
  const Json reply = Json::parse(dataflow::ask(socket, request.dump()));
  if (!reply.at("ok").get<bool>()) {
    const Json& error = reply.at("error");
    throw Error(dataflow::code_of(error.at("code").get<std::string>()),
                error.at("message").get<std::string>());
  }
  return reply.at("result");
}

Json window_request(const char* verb, const Selection& selection) {
  const auto window = parse_duration(selection.window);
  return {{"verb", verb},
          {"window_ms", std::chrono::ceil<std::chrono::milliseconds>(window).count()}};
}

std::vector<Found> find_sessions(const Selection& selection) {
  std::vector<Found> found;
  for (const auto& process : dataflow::find_processes()) {
    if (selection.pid != 0 && process.pid != selection.pid) {
      continue;
    }
    Json rows = Json::array();
    try {
      rows = ask_json(process.socket, window_request("ps", selection));
    } catch (const Error& error) {
      if (error.code() != Errc::kEnvironment) {  // else: it has just ended
        throw;
      }
    }
    for (auto& row : rows) {
      const bool wanted = (selection.session == 0 || row.at("session") == selection.session) &&
                          (selection.graph.empty() || row.at("graph") == selection.graph);
      if (wanted) {
        found.push_back({process.socket, row});
      }
    }
  }
  return found;
}

std::vector<Found> find_some(const Selection& selection) {
  auto found = find_sessions(selection);
  if (found.empty()) {
    throw Error(Errc::kNotFound, "no running graph to ask (askos ps lists them)");
  }
  return found;
}

Json ask_session(const Found& found, Json request) {
  request["session"] = found.row.at("session");
  return ask_json(found.socket, request);
}

Found find_one(const Selection& selection) {
  auto found = find_some(selection);
  if (found.size() > 1) {
    throw Error(Errc::kUsage, "several graphs are running: choose one with --pid or --graph");
  }
  return found.front();
}

}  // namespace askos::apps
