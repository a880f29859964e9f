// SPDX-License-Identifier: Apache-2.0
#include "command_line/progress_line.hpp"
#include "command_line/stop_signal.hpp"
#include "command_line/table.hpp"
#include "commands.hpp"
#include "running_graphs.hpp"
#include "terminal_screen.hpp"
#include "top_text.hpp"

#include <askos/base/error.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

constexpr int kRefresh = 500;  // milliseconds
constexpr const char* kKeys =
    " q quit  tab next graph  space hold  up/down scroll    "
    "C cpu G gpu i starved c credit n collective d disk m memory s no thread p paused";

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

int print_once(const Selection& selection, bool json) {
  for (const auto& found : find_some(selection)) {
    const Json top = ask_session(found, window_request("top", selection));
    if (json) {
      std::cout << top.dump() << "\n";
    } else {
      print_top(found.row, top, std::cout);
    }
  }
  return 0;
}

/// The screen until `q`, a signal, or the end of the last graph.
class FullScreen {
 public:
  FullScreen(const Selection& selection, StopSignal& stop) : selection_(selection), stop_(stop) {}

  void run() {
    auto sessions = find_some(selection_);
    TerminalScreen screen;
    while (!stop_.arrived() && !sessions.empty()) {
      const Found& found = sessions[chosen_ % sessions.size()];
      if (!held_ && !refresh(found, screen)) {
        sessions = find_sessions(selection_);
        continue;
      }
      screen.show(lines_, first_, kKeys);
      if (!heed_keys(screen)) {
        return;
      }
      if (chosen_ != shown_) {
        sessions = find_sessions(selection_);
        shown_ = chosen_;
      }
    }
  }

 private:
  /// Returns false if the graph has gone.
  bool refresh(const Found& found, const TerminalScreen& screen) {
    Json request = window_request("top", selection_);
    request["strip"] = strip_columns(screen.width());
    try {
      lines_ = lay_out_top(ask_session(found, request), screen.width());
      return true;
    } catch (const Error& error) {
      if (error.code() == Errc::kEnvironment || error.code() == Errc::kNotFound) {
        return false;
      }
      throw;
    }
  }

  /// Waits for a key until it is time to look again. Returns false to quit.
  bool heed_keys(TerminalScreen& screen) {
    std::array<pollfd, 2> polls{pollfd{stop_.descriptor(), POLLIN, 0},
                                pollfd{STDIN_FILENO, POLLIN, 0}};
    (void)::poll(polls.data(), polls.size(), kRefresh);
    using Key = TerminalScreen::Key;
    const int last = std::max(0, static_cast<int>(lines_.size()) - screen.height() + 1);
    for (Key key = screen.key(); key != Key::kNone; key = screen.key()) {
      switch (key) {
        case Key::kQuit: return false;
        case Key::kUp: first_ = std::max(0, first_ - 1); break;
        case Key::kDown: first_ = std::min(last, first_ + 1); break;
        case Key::kNext: ++chosen_; break;
        case Key::kHold: held_ = !held_; break;
        default: break;
      }
    }
    return true;
  }

  const Selection& selection_;
  StopSignal& stop_;
  std::vector<Line> lines_;
  std::size_t chosen_ = 0;
  std::size_t shown_ = 0;
  int first_ = 0;
  bool held_ = false;
};

int top(const Selection& selection, bool json, bool once) {
  if (once || json || !stdout_is_terminal()) {
    return print_once(selection, json);
  }
  StopSignal stop;
  FullScreen(selection, stop).run();
  return 0;
}

}  // namespace

void add_top(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "top",
      "show where stages spend their time: a full screen on a terminal, printed once elsewhere");
  auto selection = std::make_shared<Selection>();
  auto once = std::make_shared<bool>(false);
  add_selection(command, *selection);
  command.add_flag("--once", *once, "print once on a terminal too");
  add_common_options(command, line.common);
  command.footer(
      "Example: askos top --graph chain\n"
      "Keys: q quits, tab shows the next graph, space holds the picture, arrows scroll.");
  command.callback([&common = line.common, &action = line.action, selection, once] {
    action = [&common, selection, once] { return top(*selection, common.json, *once); };
  });
}

}  // namespace askos::apps
