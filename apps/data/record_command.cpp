// SPDX-License-Identifier: Apache-2.0
#include "askos/running_graphs.hpp"
#include "commands.hpp"
#include "recording/recording_file.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>

#include <poll.h>

#include <algorithm>
#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(5);

struct RecordOptions {
  Selection selection;
  std::string stage;
  int rank = 0;
  int last = 5;
  std::string out;  ///< empty: STAGE.h5
  std::string wait = "10 s";
  bool keep_on = false;
  bool off = false;
};

Json record_request(const RecordOptions& options, int last) {
  return {{"verb", "record"}, {"stage", options.stage}, {"rank", options.rank}, {"last", last}};
}

/// Waits until enough runs are kept, the graph stands or ends, or time is up.
void wait_for_runs(const Found& found, const RecordOptions& options) {
  const auto until = steady_clock().now() + parse_duration(options.wait);
  for (;;) {
    const Json status =
        ask_session(found, {{"verb", "record"}, {"stage", options.stage}, {"rank", options.rank}});
    const bool enough = status.at("runs") >= options.last;
    const bool gave_up = !status.at("problem").get_ref<const std::string&>().empty();
    if (enough || gave_up || steady_clock().now() >= until) return;
    const Json hold = ask_session(found, {{"verb", "hold"}});
    for (const auto& stage : hold.at("stages")) {
      const bool here = stage.at("stage") == options.stage && stage.at("rank") == options.rank;
      if (here && (stage.at("held") || stage.at("state") == "off")) return;
    }
    (void)::poll(nullptr, 0, static_cast<int>(kPollInterval.count()));
  }
}

dataflow::Recording fetch(const Found& found, const RecordOptions& options) {
  return dataflow::fetch_recording(
      options.stage, Rank{options.rank},
      [&](const std::string& request) { return ask_session(found, Json::parse(request)).dump(); });
}

void print(const dataflow::Recording& recording, const std::string& path, bool json) {
  const auto num_waiting = std::ranges::count(recording.runs, false, &dataflow::RecordedRun::done);
  const auto num_done = static_cast<std::ptrdiff_t>(recording.runs.size()) - num_waiting;
  if (json) {
    std::cout << Json{{"stage", recording.stage},
                      {"rank", recording.rank.value},
                      {"first_run", recording.runs.front().number},
                      {"runs", num_done},
                      {"waiting", num_waiting},
                      {"path", path}}
                     .dump()
              << "\n";
    return;
  }
  std::cout << path << ": " << recording.stage << " on rank " << recording.rank << ", " << num_done
            << " runs from run " << recording.runs.front().number << " on";
  if (num_waiting > 0) std::cout << ", and packets for " << num_waiting << " that had waited";
  std::cout << "\n";
}

int record(const RecordOptions& options, bool json) {
  const auto found = find_one(options.selection);
  const Json first = ask_session(found, record_request(options, options.off ? 0 : options.last));
  if (options.off) {
    if (!json) std::cout << options.stage << ": no longer recorded\n";
    return 0;
  }
  wait_for_runs(found, options);
  const auto recording = fetch(found, options);
  if (first.at("before") == 0 && !options.keep_on) {
    (void)ask_session(found, record_request(options, 0));
  }
  const auto path = options.out.empty() ? options.stage + ".h5" : options.out;
  write_recording(path, recording);
  print(recording, path, json);
  return 0;
}

}  // namespace

void add_record(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "record",
      "keep the last runs of a stage of a running graph: its packets, and the state before them");
  const auto options = std::make_shared<RecordOptions>();
  command.add_option("stage", options->stage, "which stage")->type_name("STAGE")->required();
  command.add_option("--last", options->last, "so many runs, at least")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--rank", options->rank, "on which rank")->capture_default_str();
  command.add_option("-o,--out", options->out, "file to write; default: STAGE.h5")
      ->type_name("FILE.h5");
  command.add_option("--wait", options->wait, "how long to wait for so many runs")
      ->capture_default_str();
  command.add_flag("--keep-on", options->keep_on, "go on keeping runs for the next askos record");
  command.add_flag("--off", options->off, "keep no more runs, write nothing");
  add_graph_selection(command, options->selection);
  add_common_options(command, line.common);
  command.footer(
      "Example: askos record work --last 5 -o work.h5\n"
      "         askos replay work.h5 --stage work --check\n"
      "Runs are kept from this command on; from the start with record = N at the stage in the "
      "graph's "
      "file\n(askos run G.toml --set stages.work.record=5), or with askos train --record "
      "compute=5. A "
      "stage that is paused,\nby a breakpoint for instance, is recorded at once, with the packets "
      "that wait for it.");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return record(*options, common.json); };
  });
}

}  // namespace askos::apps
