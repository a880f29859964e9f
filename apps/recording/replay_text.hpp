// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/replay.hpp>

#include <CLI/CLI.hpp>

#include <string>

namespace askos::apps {

/// Which recording to do again.
struct ReplayOptions {
  std::string file;
  std::string stage;
  bool check = false;
};

/// Adds the file, `--stage` and `--check`.
void add_replay_options(CLI::App& command, ReplayOptions& options);

/// Prints what came of each run, as text or as one JSON object. Throws `Errc::kCheckFailed`, naming
/// the first run that differs, if `options` want the check and it does not hold.
void print_replay(const ReplayOptions& options,
                  const dataflow::Recording& recording,
                  const dataflow::ReplayReport& report,
                  bool json);

}  // namespace askos::apps
