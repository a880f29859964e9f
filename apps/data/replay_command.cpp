// SPDX-License-Identifier: Apache-2.0
#include "askos/graph_options.hpp"
#include "command_line/delegate.hpp"
#include "commands.hpp"
#include "recording/recording_file.hpp"
#include "recording/replay_text.hpp"

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>

#include <algorithm>
#include <memory>

namespace askos::apps {
namespace {

struct GraphReplayOptions {
  ReplayOptions replay;
  GraphOptions graph;  ///< no path: the stage as it was recorded
};

Error stale(const GraphReplayOptions& options, const std::string& what) {
  return Error(Errc::kInvalidInput, "recording is stale: the graph's stage is another one now")
      .with("stage", options.replay.stage)
      .with("key", what)
      .with("file", options.replay.file);
}

std::string print(const dataflow::Arguments& arguments, const std::string& key) {
  const auto found = arguments.find(key);
  return found == arguments.end() ? "default" : dataflow::to_toml(found->second);
}

/// Throws if the graph's stage is not the one that was recorded.
void check_graph(const GraphReplayOptions& options, const dataflow::Recording& recording) {
  const auto file = load(options.graph);
  const auto* const node = file.graph.find_stage(options.replay.stage);
  if (node == nullptr) {
    std::vector<std::string> names;
    std::ranges::transform(file.graph.stages(), std::back_inserter(names),
                           &dataflow::Graph::Node::name);
    Error error(Errc::kNotFound, "graph has no stage of that name");
    error.with("stage", options.replay.stage);
    suggest(error, options.replay.stage, names);
    throw error.with("graph", options.graph.path);
  }
  if (node->stage->type() != recording.type) {
    throw stale(options, "type")
        .with("recorded", recording.type)
        .with("found", node->stage->type());
  }
  const auto now = node->stage->arguments();
  auto keys = now;
  keys.insert(recording.arguments.begin(), recording.arguments.end());
  for (const auto& [key, value] : keys) {
    const auto before = print(recording.arguments, key);
    const auto found = print(now, key);
    if (before != found) throw stale(options, key).with("recorded", before).with("found", found);
  }
}

int replay(const GraphReplayOptions& options, bool json, char** argv) {
  const auto recording = read_recording(options.replay.file);
  check_stage(options.replay.file, recording, options.replay.stage);
  if (recording.type.empty()) {
    delegate({"replay", "askos-model", ""}, argv);
  }
  if (!options.graph.path.empty()) check_graph(options, recording);
  const auto stage = stage_catalog().make(recording.type, recording.arguments);
  print_replay(options.replay, recording, dataflow::replay(*stage, recording), json);
  return 0;
}

}  // namespace

void add_replay(const CommandLine& line, char** argv) {
  auto& command = *line.app.add_subcommand(
      "replay", "do a stage's recorded runs again, without its peers, and compare bit by bit");
  const auto options = std::make_shared<GraphReplayOptions>();
  add_replay_options(command, options->replay);
  command
      .add_option("--graph", options->graph.path,
                  "refuse the recording unless the stage is still so in this file, or the training "
                  "run\nin this configuration")
      ->type_name("GRAPH.toml");
  add_settings(command, options->graph.settings);
  add_common_options(command, line.common);
  command.footer(
      "Example: askos replay work.h5 --stage work --check\n"
      "Exit codes: 0 done, 2 no such stage or a stale recording, 7 something differs (with "
      "--check).");
  command.callback([&common = line.common, &action = line.action, options, argv] {
    action = [&common, options, argv] { return replay(*options, common.json, argv); };
  });
}

}  // namespace askos::apps
