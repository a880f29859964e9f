// SPDX-License-Identifier: Apache-2.0
#include "command_line/table.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

namespace askos::apps {

void Table::add(std::vector<std::string> cells) {
  ASKOS_CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::ostream& operator<<(std::ostream& out, const Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns_.size(); ++i) {
    std::size_t width = table.columns_[i].title.size();
    for (const auto& row : table.rows_) {
      width = std::max(width, row[i].size());
    }
    widths.push_back(width);
  }
  const auto print = [&](auto&& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string space(widths[i] - cell.size(), ' ');
      line += i == 0 ? "" : "  ";
      line += table.columns_[i].align == Align::kLeft ? cell + space : space + cell;
    }
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  };
  print([&](std::size_t i) -> const std::string& { return table.columns_[i].title; });
  for (const auto& row : table.rows_) {
    print([&](std::size_t i) -> const std::string& { return row[i]; });
  }
  return out;
}

std::string fixed(double number, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, number);
  return text.data();
}

std::string percent(double fraction) {
  return fraction < 0.005 ? "-" : fixed(100 * fraction, 0) + " %";
}

std::string clock_time(double seconds) {
  const auto whole = static_cast<long>(seconds);
  std::array<char, 64> text{};
  if (whole < 3600) {
    std::snprintf(text.data(), text.size(), "%02ld:%02ld", whole / 60, whole % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60,
                  whole % 60);
  }
  return text.data();
}

}  // namespace askos::apps
