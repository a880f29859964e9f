// SPDX-License-Identifier: Apache-2.0
#include "dataset_tables.hpp"

#include <askos/base/error.hpp>
#include <askos/io/crc32c.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

namespace askos::io {
namespace {

class TableCrc {
 public:
  template <typename T>
  void add(const std::vector<T>& values) {
    add_number(static_cast<std::int64_t>(values.size()));
    value_ = crc32c(std::as_bytes(std::span(values)), value_);
  }
  void add(const std::string& text) {
    add_number(static_cast<std::int64_t>(text.size()));
    value_ = crc32c(std::as_bytes(std::span(text)), value_);
  }
  void add(const Statistics& statistics) {
    add(std::vector<double>{statistics.mean, statistics.stdev, statistics.minimum,
                            statistics.maximum});
  }
  void add_number(std::int64_t number) {
    value_ = crc32c(std::as_bytes(std::span(&number, 1)), value_);
  }
  [[nodiscard]] std::uint32_t value() const noexcept { return value_; }

 private:
  std::uint32_t value_ = 0;
};

bool in_range(const std::vector<double>& values, double low, double high) {
  return std::ranges::all_of(values, [&](double value) { return value >= low && value <= high; });
}

}  // namespace

std::string tendency_name(const DatasetInfo& info, const char* statistic) {
  return "tendencies_" + format_step(info.step) + "_" + statistic;
}

Metadata variables_to_json(const DatasetInfo& info) {
  Metadata::Array array;
  for (const VariableInfo& variable : info.variables) {
    Metadata entry;
    entry["name"] = variable.name;
    entry["unit"] = variable.unit;
    entry["role"] = std::string(to_string(variable.role));
    entry["allow_nans"] = variable.allow_nans;
    array.push_back(std::move(entry));
  }
  return array;
}

std::vector<VariableInfo> variables_from_json(const Metadata& json) {
  std::vector<VariableInfo> variables;
  for (const Metadata& entry : json.as_array()) {
    VariableInfo variable;
    variable.name = entry.at("name").as_string();
    variable.unit = entry.at("unit").as_string();
    variable.role = parse_role(entry.at("role").as_string());
    variable.allow_nans = entry.at("allow_nans").as_bool();
    variables.push_back(std::move(variable));
  }
  return variables;
}

std::uint32_t tables_crc(const DatasetInfo& info, const DatasetTables& tables) {
  TableCrc crc;
  crc.add_number(info.first_time.time_since_epoch().count());
  crc.add_number(info.step.count());
  crc.add_number(info.num_rows);
  crc.add_number(info.num_ensembles);
  for (const VariableInfo& variable : info.variables) {
    crc.add(variable.name);
    crc.add(variable.unit);
    crc.add(std::string(to_string(variable.role)));
    crc.add_number(variable.allow_nans ? 1 : 0);
    crc.add(variable.statistics);
    crc.add(variable.tendency);
  }
  crc.add(info.latitudes);
  crc.add(info.longitudes);
  crc.add(info.grid_cells);
  crc.add(tables.row_state);
  crc.add(tables.nan_count);
  crc.add(tables.chunk_crc);
  return crc.value();
}

void check_info(const DatasetInfo& info) {
  std::vector<std::string> faults;
  const auto expect = [&](bool holds, const std::string& claim) {
    if (!holds) {
      faults.emplace_back(claim);
    }
  };
  std::set<std::string> names;
  for (const VariableInfo& variable : info.variables) {
    names.insert(variable.name);
  }
  const auto cells = static_cast<std::size_t>(info.num_cells());
  expect(!info.variables.empty() && !names.contains(""), "each variable has a name");
  expect(names.size() == info.variables.size(), "names of variables differ");
  expect(info.num_rows >= 1 && info.num_ensembles >= 1 && cells >= 1, "no axis is empty");
  expect(info.step.count() > 0, "time step is positive");
  expect(info.longitudes.size() == cells, "as many longitudes as latitudes");
  expect(in_range(info.latitudes, -90, 90), "latitudes lie within -90 and 90");
  expect(in_range(info.longitudes, -360, 720), "longitudes lie within -360 and 720");
  expect(info.chunk_cells >= 0 && info.chunk_cells <= info.num_cells(),
         "chunk_cells " + std::to_string(info.chunk_cells) + " is within 0 and the " +
             std::to_string(info.num_cells()) + " cells of a row");
  expect(info.grid_cells.empty() || info.grid_cells.size() == cells, "one grid position per cell");
  expect(info.statistics_rows.begin >= 0 && info.statistics_rows.size() >= 1 &&
             info.statistics_rows.end <= info.num_rows,
         "statistics come from rows of the dataset");
  if (!faults.empty()) {
    std::string list;
    for (const std::string& fault : faults) {
      list.append(list.empty() ? "" : "; ").append(fault);
    }
    throw Error(Errc::kInvalidInput, "dataset cannot be described like this")
        .with("must_hold", list);
  }
}

}  // namespace askos::io
