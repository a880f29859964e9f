// SPDX-License-Identifier: Apache-2.0
#include "command_line/progress_line.hpp"

#include <unistd.h>

#include <iostream>

namespace askos::apps {

bool stdout_is_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}

std::string progress_bar(std::int64_t done, std::int64_t total) {
  constexpr std::int64_t kWidth = 24;
  const auto filled = static_cast<std::size_t>(total > 0 ? kWidth * done / total : kWidth);
  return "[" + std::string(filled, '#') + std::string(kWidth - filled, '.') + "]";
}

Nanoseconds ProgressLine::interval() const {
  return terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(1000);
}

void ProgressLine::show(const std::string& text) {
  if (terminal_) {
    std::cout << "\r\x1b[2K" << text << std::flush;
    open_ = true;
  } else {
    std::cout << text << "\n" << std::flush;
  }
}

void ProgressLine::clear() {
  if (open_) {
    std::cout << "\r\x1b[2K" << std::flush;
    open_ = false;
  }
}

void ProgressLine::finish() {
  if (open_) {
    std::cout << "\n" << std::flush;
    open_ = false;
  }
}

}  // namespace askos::apps
