// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>

namespace askos {

/// Writes a file that readers find whole or not at all: as `path.part`, renamed once `fill` has
/// written it. If that fails it leaves nothing, what was at `path` stays, and it throws
/// `Errc::kEnvironment` with the text `failure` and the file. Syncs nothing: what has to outlive a
/// crash of the host is for `io/atomic_file.hpp`.
void write_whole_file(const std::filesystem::path& path,
                      const std::string& failure,
                      const std::function<void(std::ostream&)>& fill);

}  // namespace askos
