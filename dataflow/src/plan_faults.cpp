// SPDX-License-Identifier: Apache-2.0
// Faults that could not strike would make a drill look passed.
#include "plan_checks.hpp"

#include <algorithm>

namespace askos::dataflow {
namespace {

bool damages(const Fault& fault) {
  return fault.kind == FaultKind::kCorrupt || fault.kind == FaultKind::kNan;
}

}  // namespace

void check_faults(const Graph& graph, PlanReport& report) {
  for (const auto& node : graph.stages()) {
    for (const auto& fault : node.options.faults) {
      const auto& outputs = node.stage->outputs();
      const bool can_damage = std::ranges::any_of(
          outputs, [](const OutPort* port) { return port->damage() != nullptr; });
      FaultText text("fault cannot strike there");
      text.with("kind", to_string(fault.kind)).with("stage", node.name);
      if (fault.operation.empty()) {
        if (damages(fault) && !can_damage) {
          text.add_to(report, "choose a stage that emits payloads which can be damaged");
        }
        continue;
      }
      text.with("operation", fault.operation);
      if (!node.stage->opens_files()) {
        text.add_to(report, "leave operation out: the stage makes no file operations of its own");
      } else if (fault.kind == FaultKind::kNan || fault.kind == FaultKind::kHang) {
        text.add_to(report, "leave operation out, or use corrupt or slow");
      } else if (fault.kind == FaultKind::kCorrupt && fault.operation != "read") {
        text.add_to(report, "corrupt what is read");
      }
    }
  }
}

}  // namespace askos::dataflow
