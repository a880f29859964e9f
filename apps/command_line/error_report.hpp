// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>

#include <functional>

namespace askos::apps {

/// Prints `askos: error: …` on stderr and returns the exit code. An error with several `fault`
/// values (a graph file, a refused plan) gets one line for each.
int report(const Error& error);

/// Runs a program's body; an exception becomes its report and exit code.
[[nodiscard]] int run_reporting(const std::function<int()>& body);

}  // namespace askos::apps
