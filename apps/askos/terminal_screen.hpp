// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "top_view.hpp"

#include <string>
#include <vector>

namespace askos::apps {

/// The whole terminal, through curses; gives it back as it was when it dies. One at a time.
class TerminalScreen {
 public:
  TerminalScreen();
  ~TerminalScreen();
  TerminalScreen(const TerminalScreen&) = delete;
  TerminalScreen& operator=(const TerminalScreen&) = delete;

  [[nodiscard]] int width() const;
  [[nodiscard]] int height() const;

  /// Shows `lines` from the `first` one below the title on, and `keys` at the bottom.
  void show(const std::vector<Line>& lines, int first, const std::string& keys);

  enum class Key { kNone, kQuit, kUp, kDown, kNext, kHold, kOther };
  /// Returns the next key that was pressed; never blocks.
  [[nodiscard]] Key key();
};

}  // namespace askos::apps
