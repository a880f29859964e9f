// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace askos::apps {

/// Options that every command has.
struct CommonOptions {
  bool json = false;               ///< print the same as JSON, one object per line
  std::string log_level = "warn";  ///< of stderr
};

/// Where a command adds itself: when it is the one that was chosen, it sets `action`.
struct CommandLine {
  CLI::App& app;
  CommonOptions& common;
  std::function<int()>& action;
};

/// Adds `--json` and `--log-level` to a command.
void add_common_options(CLI::App& command, CommonOptions& options);

/// Adds `--set key=value`, which may be given several times.
void add_settings(CLI::App& command, std::vector<std::string>& settings);

/// Parses the arguments and sets the log level. Returns an exit code if the program is done (after
/// `--help`); throws `Errc::kUsage`, with the nearest command where there is one, if they make no
/// sense.
[[nodiscard]] std::optional<int> parse(CLI::App& app,
                                       int argc,
                                       const char* const* argv,
                                       const CommonOptions& options);

}  // namespace askos::apps
