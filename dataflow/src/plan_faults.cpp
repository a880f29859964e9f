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
      if (damages(fault) && !can_damage) {
        FaultText("fault cannot strike there")
            .with("kind", to_string(fault.kind))
            .with("stage", node.name)
            .add_to(report, "choose a stage that emits payloads which can be damaged");
      }
    }
  }
}

}  // namespace askos::dataflow
