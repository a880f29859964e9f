// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/run_config.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace askos::apps {

/// Reads a configuration file (TOML) and lays `overrides`, each `section.key=value`, over it.
///
/// Relative paths in the file are relative to the file's folder, those in `overrides` to the
/// working folder. Throws `Errc::kInvalidInput`, naming file, line, key, expected and found, on
/// text that is not TOML or a value of another type, and `Errc::kUsage`, naming the nearest key, on
/// an unknown key.
[[nodiscard]] actors::RunConfig load_run_config(const std::filesystem::path& file,
                                                const std::vector<std::string>& overrides = {});

/// As above, from text; `origin` stands for the file.
[[nodiscard]] actors::RunConfig parse_run_config(const std::string& text,
                                                 const std::string& origin,
                                                 const std::vector<std::string>& overrides = {});

/// Writes a configuration with all its defaults; `load_run_config` of it gives the same one, but
/// for injected faults, which belong to a drill and not to the run.
[[nodiscard]] std::string to_toml(const actors::RunConfig& config);

}  // namespace askos::apps
