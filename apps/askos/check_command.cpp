// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "graph_options.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/plan.hpp>

#include <nlohmann/json.hpp>

#include <iostream>
#include <memory>

namespace askos::apps {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const dataflow::Graph& graph, const dataflow::PlanReport& report) {
  Json faults = Json::array();
  for (const auto& [what, repair] : report.faults) {
    faults.push_back({{"what", what}, {"repair", repair}});
  }
  return {{"graph", graph.name()},
          {"ok", report.ok()},
          {"stages", graph.stages().size()},
          {"edges", graph.edges().size()},
          {"host_bound", report.host_bound.value},
          {"device_bound", report.device_bound.value},
          {"bound_proved", report.bound_proved},
          {"unproved", report.unproved},
          {"faults", faults}};
}

void print(const dataflow::Graph& graph, const dataflow::PlanReport& report) {
  std::cout << graph.name() << ": plan " << (report.ok() ? "holds" : "refused") << ": "
            << graph.stages().size() << " stages, " << graph.edges().size() << " edges\n";
  for (const auto& [what, repair] : report.faults) {
    std::cout << "  fault:  " << what << "\n";
    if (!repair.empty()) {
      std::cout << "  repair: " << repair << "\n";
    }
  }
  std::cout << "  in flight: at most " << report.host_bound << " on the host, "
            << report.device_bound << " on devices"
            << (report.bound_proved ? "" : " (not proved: some port states no size)") << "\n";
  for (const auto& claim : report.unproved) {
    std::cout << "  not proved: " << claim << "\n";
  }
}

int check(const GraphOptions& options, bool json) {
  const auto file = load(options);
  const auto report = dataflow::Plan::check({&file.graph}, file.limits);
  if (json) {
    std::cout << to_json(file.graph, report).dump() << "\n";
  } else {
    print(file.graph, report);
  }
  if (!report.ok()) {
    throw Error(Errc::kPlanRefused, "plan refused")
        .with("graph", file.graph.name())
        .with("faults", report.faults.size());
  }
  return 0;
}

}  // namespace

void add_check(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "check", "prove that a graph can run in bounded memory, or tell all that is wrong with it");
  auto options = std::make_shared<GraphOptions>();
  add_graph_options(command, *options);
  add_common_options(command, line.common);
  command.footer(
      "Example: askos check examples/graphs/starved_pair.toml\n"
      "Exit code 5: the plan is refused; the repair is the smallest change that would do.");
  command.callback([&common = line.common, &action = line.action, options] {
    action = [&common, options] { return check(*options, common.json); };
  });
}

}  // namespace askos::apps
