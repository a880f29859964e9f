// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "command_line/common_options.hpp"

namespace askos::apps {

/// Adds `askos launch`.
void add_launch(const CommandLine& line);

}  // namespace askos::apps
