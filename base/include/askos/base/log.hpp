// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>

namespace askos {

/// Returns the logger of one library, for instance `logger("askos.io")`; made on first use, writes
/// to stderr at level `info`. Any thread.
[[nodiscard]] std::shared_ptr<spdlog::logger> logger(const std::string& name);

/// Sets the level of every askos logger, made or to be made: `debug`, `info`, `warn`, `error`,
/// `off`. Throws `Errc::kUsage` on another word.
void set_log_level(const std::string& level);

}  // namespace askos
