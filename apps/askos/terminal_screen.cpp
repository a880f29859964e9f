// SPDX-License-Identifier: Apache-2.0
#include "terminal_screen.hpp"

#include <ncurses.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace askos::apps {
namespace {

constexpr std::string_view kLetters = "CGicndmsp";

/// Okabe and Ito's colours, told apart by the colour-blind, as near as 256 colours come; else the
/// eight that every terminal has. The letters say the same.
struct StateColour {
  short of_256;
  short of_8;
};
constexpr std::array<StateColour, kLetters.size()> kColours{{{36, COLOR_GREEN},
                                                             {26, COLOR_BLUE},
                                                             {117, COLOR_CYAN},
                                                             {166, COLOR_RED},
                                                             {175, COLOR_MAGENTA},
                                                             {227, COLOR_YELLOW},
                                                             {178, COLOR_YELLOW},
                                                             {245, COLOR_WHITE},
                                                             {240, COLOR_WHITE}}};
constexpr short kRootPair = kLetters.size() + 1;

attr_t attributes_of(Style style) {
  switch (style) {
    case Style::kPlain:
    case Style::kStrip: return A_NORMAL;
    case Style::kQuiet: return A_DIM;
    case Style::kStrong: return A_BOLD;
    case Style::kTitle: return A_REVERSE | A_BOLD;
    case Style::kRoot: return A_BOLD | static_cast<attr_t>(COLOR_PAIR(kRootPair));
  }
  return A_NORMAL;
}

void add_text(const std::string& text) {
  const int left = COLS - getcurx(stdscr);
  ::addnstr(text.c_str(), std::max(left, 0));
}

void add_strip(const std::string& letters) {
  for (const char letter : letters) {
    const auto state = kLetters.find(letter);
    const chtype pair = state == std::string_view::npos
                            ? A_NORMAL
                            : static_cast<chtype>(COLOR_PAIR(static_cast<int>(state) + 1));
    if (getcurx(stdscr) < COLS - 1) {
      ::addch(static_cast<unsigned char>(letter) | pair);
    }
  }
}

}  // namespace

TerminalScreen::TerminalScreen() {
  ::initscr();
  ::cbreak();
  ::noecho();
  ::curs_set(0);
  ::keypad(stdscr, TRUE);
  ::nodelay(stdscr, TRUE);
  ::set_escdelay(25);
  if (::has_colors()) {
    ::start_color();
    ::use_default_colors();
    const bool many = COLORS >= 256;
    for (std::size_t i = 0; i < kColours.size(); ++i) {
      ::init_pair(static_cast<short>(i + 1), many ? short{16} : short{COLOR_BLACK},
                  many ? kColours[i].of_256 : kColours[i].of_8);
    }
    ::init_pair(kRootPair, many ? short{208} : short{COLOR_RED}, -1);
  }
}

TerminalScreen::~TerminalScreen() {
  ::endwin();
}

int TerminalScreen::width() const {
  return COLS;
}

int TerminalScreen::height() const {
  return LINES;
}

void TerminalScreen::show(const std::vector<Line>& lines, int first, const std::string& keys) {
  ::erase();
  const int num_rows = LINES - 1;
  for (int row = 0; row < num_rows; ++row) {
    // The title stays, the rest scrolls below it.
    const auto line = static_cast<std::size_t>(row == 0 ? 0 : row + first);
    if (line >= lines.size()) {
      break;
    }
    ::move(row, 0);
    for (const auto& [style, text] : lines[line]) {
      const attr_t attributes = attributes_of(style);
      ::attron(attributes);
      style == Style::kStrip ? add_strip(text) : add_text(text);
      ::attroff(attributes);
    }
  }
  ::move(LINES - 1, 0);
  ::attron(A_DIM);
  add_text(keys.substr(0, static_cast<std::size_t>(std::max(COLS - 1, 0))));
  ::attroff(A_DIM);
  ::refresh();
}

TerminalScreen::Key TerminalScreen::key() {
  switch (::getch()) {
    case ERR: return Key::kNone;
    case 'q':
    case 'Q': return Key::kQuit;
    case KEY_UP:
    case 'k': return Key::kUp;
    case KEY_DOWN:
    case 'j': return Key::kDown;
    case '\t':
    case 'n': return Key::kNext;
    case ' ': return Key::kHold;
    default: return Key::kOther;
  }
}

}  // namespace askos::apps
