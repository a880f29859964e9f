// SPDX-License-Identifier: Apache-2.0
#include "top_text.hpp"

#include "command_line/table.hpp"

#include <askos/base/unit.hpp>

#include <sstream>
#include <string>

namespace askos::apps {
namespace {

std::string print_bytes(std::int64_t bytes) {
  std::ostringstream text;
  text << Bytes{bytes};
  return text.str();
}

std::string print_count(const Json& value) {
  return std::to_string(value.get<std::int64_t>());
}

}  // namespace

void print_stages(const Json& top, std::ostream& out) {
  if (top.at("stages").empty()) {
    return;
  }
  std::vector<Table::Column> columns{{"STAGE", Align::kLeft}, {"RANK"}};
  for (const auto& [state, fraction] : top.at("stages").front().at("fraction").items()) {
    columns.push_back({state.substr(state.find('.') + 1)});
  }
  columns.push_back({"RUNS"});
  columns.push_back({"RUNS/S"});
  Table table(columns);
  for (const auto& stage : top.at("stages")) {
    std::vector<std::string> cells{stage.at("stage"), print_count(stage.at("rank"))};
    for (const auto& [state, fraction] : stage.at("fraction").items()) {
      cells.push_back(percent(fraction.get<double>()));
    }
    cells.push_back(print_count(stage.at("runs")));
    cells.push_back(fixed(stage.at("runs_per_s").get<double>(), 1));
    table.add(cells);
  }
  out << table;
}

void print_edges(const Json& top, std::ostream& out) {
  Table table({{"EDGE", Align::kLeft},
               {"RANK"},
               {"IN FLIGHT"},
               {"BYTES"},
               {"PACKETS"},
               {"PACKETS/S"},
               {"DROPPED"},
               {"HELD BACK"}});
  for (const auto& edge : top.at("edges")) {
    const auto bytes =
        edge.at("host_bytes").get<std::int64_t>() + edge.at("device_bytes").get<std::int64_t>();
    table.add({edge.at("edge"), print_count(edge.at("rank")),
               print_count(edge.at("in_flight")) + "/" + print_count(edge.at("credit")),
               print_bytes(bytes), print_count(edge.at("packets")),
               fixed(edge.at("packets_per_s").get<double>(), 1), print_count(edge.at("dropped")),
               fixed(edge.at("waited_for_credit_s").get<double>(), 2) + " s"});
  }
  out << table;
}

}  // namespace askos::apps
