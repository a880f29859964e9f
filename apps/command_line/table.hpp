// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace askos::apps {

enum class Align { kLeft, kRight };

/// Prints rows in columns as wide as their widest cell.
class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kRight;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Adds a row with one cell per column.
  void add(std::vector<std::string> cells);

  friend std::ostream& operator<<(std::ostream& out, const Table& table);

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Prints `number` with `digits` digits after the point.
[[nodiscard]] std::string fixed(double number, int digits);

/// Prints a fraction as `42 %`, and nothing worth a percent as `-`.
[[nodiscard]] std::string percent(double fraction);

/// Prints seconds as `00:12` or `1:02:03`.
[[nodiscard]] std::string clock_time(double seconds);

}  // namespace askos::apps
