// SPDX-License-Identifier: Apache-2.0
#include "command_line/error_report.hpp"

#include <algorithm>
#include <csignal>
#include <iostream>
#include <string>

namespace askos::apps {
namespace {

void print_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  std::cerr << "askos: error: " + text + "\n";
}

}  // namespace

int report(const Error& error) {
  std::cout.flush();
  const auto is_fault = [](const auto& entry) { return entry.first == "fault"; };
  if (std::ranges::count_if(error.values(), is_fault) < 2) {
    print_line(error.what());
  } else {
    for (const auto& [key, value] : error.values()) {
      if (key == "fault") {
        print_line(value);
      }
    }
  }
  return exit_code(error.code());
}

int run_reporting(const std::function<int()>& body) {
  // A file that outgrows a limit (ulimit -f) is a failed write to report, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return body();
  } catch (const ReportedElsewhere& silence) {
    return silence.exit_code;
  } catch (...) {
    return report(current_error());
  }
}

}  // namespace askos::apps
