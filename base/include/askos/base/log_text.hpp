// SPDX-License-Identifier: Apache-2.0
// Logging without spdlog's headers, which do not compile beside the fmt that LibTorch brings.
#pragma once

#include <string>

namespace askos {

/// Writes one line of level `warn` to the logger of a library, as `logger(name)->warn` does. Any
/// thread.
void log_warning(const std::string& name, const std::string& text);

}  // namespace askos
