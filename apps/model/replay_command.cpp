// SPDX-License-Identifier: Apache-2.0
#include "command_line/common_options.hpp"
#include "commands.hpp"
#include "recording/recording_file.hpp"
#include "recording/replay_text.hpp"
#include "run_config_file.hpp"
#include "run_options.hpp"

#include <askos/actors/replay.hpp>
#include <askos/base/error.hpp>

#include <memory>
#include <sstream>

namespace askos::apps {
namespace {

struct TrainingReplayOptions {
  ReplayOptions replay;
  std::string config;  ///< empty: that of the recording
  std::vector<std::string> settings;
};

/// Lines `key = value` of a configuration, each with its section, less what does not decide a step.
std::vector<std::string> deciding_lines(const std::string& toml) {
  std::vector<std::string> lines;
  std::istringstream stream(toml);
  std::string section;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with('[')) {
      section = line.substr(1, line.size() - 2);
    } else if (!line.empty() && section != "run" && !line.starts_with("file = ")) {
      lines.push_back(section + "." + line);
    }
  }
  return lines;
}

/// Throws, with the first key that differs, if the recording is of another configuration.
void check_config(const TrainingReplayOptions& options, const std::string& recorded) {
  const auto before = deciding_lines(recorded);
  const auto now = deciding_lines(to_toml(load_run_config(options.config)));
  for (std::size_t i = 0; i < std::max(before.size(), now.size()); ++i) {
    const auto line = [&](const auto& lines) { return i < lines.size() ? lines[i] : "nothing"; };
    if (line(before) == line(now)) continue;
    throw Error(Errc::kInvalidInput, "recording is stale: the configuration is another one now")
        .with("recorded", line(before))
        .with("found", line(now))
        .with("file", options.replay.file);
  }
}

int replay(const TrainingReplayOptions& options, bool json) {
  const auto recording = read_recording(options.replay.file);
  check_stage(options.replay.file, recording, options.replay.stage);
  const auto note = recording.notes.find(kConfigNote);
  if (note == recording.notes.end()) {
    throw Error(Errc::kInvalidInput, "recording does not say how its stage is made")
        .with("stage", recording.stage)
        .with("file", options.replay.file);
  }
  if (!options.config.empty()) check_config(options, note->second);
  const auto config = parse_run_config(note->second, options.replay.file, options.settings);
  const auto stage = actors::make_recorded_stage(config, recording);
  print_replay(options.replay, recording, dataflow::replay(*stage, recording), json);
  return 0;
}

}  // namespace

void add_replay(const ModelLine& line) {
  auto& command = *line.app.add_subcommand(
      "replay", "do a stage's recorded runs again, without its peers, and compare bit by bit");
  auto options = std::make_shared<TrainingReplayOptions>();
  add_replay_options(command, options->replay);
  command
      .add_option("--graph", options->config,
                  "refuse the recording unless it is of this configuration")
      ->type_name("CONFIG.toml");
  add_settings(command, options->settings);
  add_common_options(command, line.common);
  command.footer(
      "Example: askos replay compute.h5 --stage compute --check\n"
      "The dataset must be where it was, or: --set data.file=PATH.\n"
      "Exit codes: 0 done, 2 no such stage or a stale recording, 7 something differs (with "
      "--check).");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return replay(*options, common.json); };
  });
}

}  // namespace askos::apps
