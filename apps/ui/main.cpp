// SPDX-License-Identifier: Apache-2.0
// The command `ui`; `askos` hands it over.
#include "command_line/common_options.hpp"
#include "command_line/error_report.hpp"
#include "command_line/stop_signal.hpp"
#include "page.hpp"
#include "page_server.hpp"
#include "running_source.hpp"

#include <askos/base/whole_file.hpp>

#include <poll.h>

#include <chrono>
#include <ctime>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

struct UiOptions {
  Selection selection;
  PageServerOptions server;
  std::string snapshot;  ///< write a page to this file instead of serving one
};

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

/// Keeps what the first update would send, and puts it into the page.
int write_snapshot(RunningSource& source, const std::string& path, bool json) {
  Json events = Json::object();
  PageFeed feed(source, /*debugger=*/"");
  (void)feed.update([&](const char* event, const std::string& text) {
    events[event] = Json::parse(text);
    return true;
  });
  events["hello"]["saved_at"] = utc_now();
  write_whole_file(path, "cannot write the snapshot",
                   [&](std::ostream& out) { out << make_page(events.dump()); });
  std::cout << (json ? Json({{"file", path}}).dump() : path) << "\n";
  return 0;
}

int serve(RunningSource& source, const PageServerOptions& options, bool json) {
  StopSignal stop;
  const PageServer server(source, options);
  if (json) {
    std::cout << Json({{"address", server.address()}, {"read_only", options.read_only}}).dump();
  } else {
    std::cout << "open " << server.address() << "\nCtrl-C ends the page, not the graph";
  }
  std::cout << std::endl;
  pollfd entry{.fd = stop.descriptor(), .events = POLLIN, .revents = 0};
  while (!stop.arrived()) {
    (void)::poll(&entry, 1, -1);
  }
  return 0;
}

int ui(const UiOptions& options, bool json) {
  RunningSource source(options.selection);
  return options.snapshot.empty() ? serve(source, options.server, json)
                                  : write_snapshot(source, options.snapshot, json);
}

int run(int argc, char** argv) {
  CLI::App app("askos: see and steer a running graph in a browser", "askos");
  app.require_subcommand(1);
  CommonOptions common;
  std::function<int()> action;
  UiOptions options;
  auto& command =
      *app.add_subcommand("ui", "serve a page that shows a running graph and steers it");
  add_graph_selection(command, options.selection);
  command.add_option("--port", options.server.port, "on 127.0.0.1; 0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command.add_flag("--read-only", options.server.read_only, "refuse what would change the graph");
  command
      .add_option("--snapshot", options.snapshot,
                  "write the page as it is now to a file that needs no server, and end")
      ->type_name("FILE.html");
  add_common_options(command, common);
  command.footer(
      "Examples: askos ui --graph train\n"
      "          askos ui --read-only --port 8080\n"
      "          askos ui --snapshot storm.html\n"
      "The address holds the token; who has it can steer the graph. OpenMetrics: /metrics with\n"
      "the header `Authorization: Bearer TOKEN`.");
  command.callback([&] { action = [&] { return ui(options, common.json); }; });
  if (const auto code = parse(app, argc, argv, common)) {
    return *code;
  }
  return action();
}

}  // namespace
}  // namespace askos::apps

int main(int argc, char** argv) {
  return askos::apps::run_reporting([&] { return askos::apps::run(argc, argv); });
}
