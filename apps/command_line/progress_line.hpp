// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

#include <cstdint>
#include <string>

namespace askos::apps {

[[nodiscard]] bool stdout_is_terminal();

/// Draws how much of `total` is done: `[######..................]`.
[[nodiscard]] std::string progress_bar(std::int64_t done, std::int64_t total);

/// Shows how far a run is: one line that is rewritten on a terminal, plain lines now and then
/// elsewhere.
class ProgressLine {
 public:
  explicit ProgressLine(bool terminal = stdout_is_terminal()) : terminal_(terminal) {}
  ~ProgressLine() { finish(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// How often `show` should be called: 5 times a second on a terminal, else once.
  [[nodiscard]] Nanoseconds interval() const;

  void show(const std::string& text);

  /// Leaves the last text standing and starts a new line.
  void finish();

  /// Takes the last text away again where that can be done: on a terminal.
  void clear();

 private:
  bool terminal_;
  bool open_ = false;
};

}  // namespace askos::apps
