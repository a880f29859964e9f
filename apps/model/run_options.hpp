// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/run.hpp>

#include <CLI/CLI.hpp>
#include <c10/core/Device.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace askos::apps {

class RunProcesses;
class StopSignal;

/// The note of a training run's recordings that holds its configuration as resolved.
inline constexpr const char* kConfigNote = "config";

/// Options that decide how a configuration is run.
struct RunOptions {
  std::string source;  ///< a configuration file, or the folder of a run
  int ranks = 0;       ///< 0: what the configuration says
  std::string device;  ///< empty: what the configuration says
  std::vector<std::string> settings;
};

void add_run_options(CLI::App& command, RunOptions& options, const std::string& source_help);

/// Reads the configuration that `options` name, with their settings laid over it. Of several
/// processes each is a rank, whatever the file says.
[[nodiscard]] actors::RunConfig load(const RunOptions& options, const RunProcesses& processes);

/// Returns the device of the ranks of this process. Throws what `rank_device` throws.
[[nodiscard]] c10::Device own_device(const actors::RunConfig& config,
                                     const RunProcesses& processes);

/// Hooks that let `askos ps`, `top` and `why` see the run, and that stop it after a signal.
[[nodiscard]] actors::RunHooks make_hooks(StopSignal& stop,
                                          RunProcesses& processes,
                                          std::shared_ptr<const actors::ProcessPlace> place);

/// Writes the configuration as resolved into the run's folder.
void write_resolved(const actors::RunConfig& config);

/// Prints the scores as a table, or one JSON object a line.
void print_scores(const actors::Evaluation& evaluation, bool json);

/// Writes the map of one test date for the report.
void write_maps(const actors::RunConfig& config, const actors::Evaluation& evaluation);

}  // namespace askos::apps
