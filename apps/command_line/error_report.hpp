// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>

#include <functional>

namespace askos::apps {

/// Ends a program whose failure another process of the same run reports.
struct ReportedElsewhere {
  int exit_code = 1;
};

/// Prints `askos: error: …` on stderr and returns the exit code. An error with several `fault`
/// values (a graph file, a refused plan) gets one line for each.
int report(const Error& error);

/// Runs a program's body; an exception becomes its report and exit code,
/// `ReportedElsewhere` the exit code alone.
[[nodiscard]] int run_reporting(const std::function<int()>& body);

}  // namespace askos::apps
