// SPDX-License-Identifier: Apache-2.0
// A table of medians with their targets, as text or JSON.
#pragma once

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

namespace askos::dataflow::bench {

class Report {
 public:
  /// Adds the median of `values`; it must not exceed `target`, if one is given.
  void add(const std::string& what,
           const std::string& unit,
           std::vector<double> values,
           double target = 0) {
    std::ranges::sort(values);
    rows_.push_back({what, unit, values[values.size() / 2], values.front(), values.back(), target});
  }

  /// As `add`, but the median must not be below `target`.
  void add_least(const std::string& what,
                 const std::string& unit,
                 std::vector<double> values,
                 double target) {
    add(what, unit, std::move(values), target);
    rows_.back().is_least = true;
  }

  /// Adds the median of the quotients, run by run.
  void ratio(const std::string& what,
             const std::vector<double>& above,
             const std::vector<double>& below,
             double target) {
    std::vector<double> quotients;
    for (std::size_t i = 0; i < above.size(); ++i) quotients.push_back(above[i] / below[i]);
    add(what, "ratio", std::move(quotients), target);
  }

  /// Returns whether all targets are met.
  [[nodiscard]] bool print(bool as_json) const {
    bool all_met = true;
    nlohmann::json rows = nlohmann::json::array();
    for (const auto& row : rows_) {
      const bool met =
          row.target == 0 || (row.is_least ? row.median >= row.target : row.median <= row.target);
      all_met = all_met && met;
      rows.push_back({{"what", row.what},
                      {"unit", row.unit},
                      {"median", row.median},
                      {"least", row.least},
                      {"most", row.most},
                      {"target", row.target},
                      {"met", met}});
      if (as_json) continue;
      std::printf("%-32s %12.4g %12.4g %12.4g %-12s %s\n", row.what.c_str(), row.median, row.least,
                  row.most, row.unit.c_str(), row.target == 0 ? "" : (met ? "met" : "MISSED"));
    }
    if (as_json) std::cout << rows.dump(2) << "\n";
    return all_met;
  }

 private:
  struct Row {
    std::string what;
    std::string unit;
    double median;
    double least;
    double most;
    double target;
    bool is_least = false;
  };
  std::vector<Row> rows_;
};

}  // namespace askos::dataflow::bench
