// SPDX-License-Identifier: Apache-2.0
// Bytes in flight: every edge at its fullest. Packets that a stage works on count on their edge.
#include "plan_checks.hpp"

#include <algorithm>

namespace askos::dataflow {
namespace {

/// Adds the most that `edge` can hold; returns false if that is not known.
bool add_bound(const EdgeOptions& options, Bytes limit, Bytes packet, Bytes& bound) {
  const Bytes by_credit = options.credit * packet;
  if (packet.value == 0) {
    bound += limit;
    return false;
  }
  bound += limit.value > 0 ? std::min(limit, by_credit) : by_credit;
  return true;
}

void check_limit(Bytes bound, Bytes limit, const char* which, PlanReport& report) {
  if (limit.value == 0 || bound <= limit) return;
  FaultText("edges may hold more bytes than the limit")
      .with("where", which)
      .with("bound", bound)
      .with("limit", limit)
      .add_to(report, "lower credits or payloads by " + std::to_string((bound - limit).value) +
                          " bytes in all, or raise the limit to " + std::to_string(bound.value));
}

}  // namespace

void check_memory(const Graph& graph, const PlanLimits& limits, PlanReport& report) {
  for (std::size_t i = 0; i < graph.edges().size(); ++i) {
    const auto& [from, to, options] = graph.edges()[i];
    const auto& contract = from->contract();
    const bool on_device = contract.device == Device::kCuda;
    const bool host_known =
        add_bound(options, options.host_bytes, contract.host_bytes, report.host_bound);
    const bool device_known =
        add_bound(options, options.device_bytes, contract.device_bytes, report.device_bound);
    if (on_device ? device_known : host_known) continue;
    report.bound_proved = false;
    report.unproved.push_back("memory bound of " + graph.edge_name(EdgeId{static_cast<int>(i)}) +
                              ": its port states no payload size");
  }
  check_limit(report.host_bound, limits.host, "host", report);
  check_limit(report.device_bound, limits.device, "device", report);
}

}  // namespace askos::dataflow
