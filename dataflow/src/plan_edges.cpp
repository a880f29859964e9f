// SPDX-License-Identifier: Apache-2.0
// What can be seen of each stage, port and edge by itself.
#include "plan_checks.hpp"
#include "type_name.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace askos::dataflow {
namespace {

std::string_view device_name(Device device) {
  return device == Device::kHost ? "host" : "cuda";
}

FaultText about(const Graph& graph, const Graph::Edge& edge, std::string text) {
  return FaultText(std::move(text))
      .with("from", port_name(graph, *edge.from))
      .with("to", port_name(graph, *edge.to));
}

void check_contracts(const Graph& graph, const Graph::Edge& edge, PlanReport& report) {
  const auto& offered = edge.from->contract();
  const auto& wanted = edge.to->contract();
  if (edge.from->payload_type() != edge.to->payload_type()) {
    about(graph, edge, "edge joins two payload types")
        .with("offered", type_name(edge.from->payload_type()))
        .with("wanted", type_name(edge.to->payload_type()))
        .add_to(report);
    return;
  }
  const bool both_shaped = !offered.shape.axes().empty() && !wanted.shape.axes().empty();
  if (both_shaped && !wanted.shape.accepts(offered.shape)) {
    about(graph, edge, "edge joins two different shapes")
        .with("offered", offered.shape)
        .with("wanted", wanted.shape)
        .add_to(report);
  }
  if (offered.dtype && wanted.dtype && offered.dtype != wanted.dtype) {
    about(graph, edge, "edge joins two number types")
        .with("offered", *offered.dtype)
        .with("wanted", *wanted.dtype)
        .add_to(report);
  }
  if (offered.device != wanted.device) {
    about(graph, edge, "edge joins two devices")
        .with("offered", device_name(offered.device))
        .with("wanted", device_name(wanted.device))
        .add_to(report, "put a copy stage between them");
  }
  const auto compare_bytes = [&](Bytes most_offered, Bytes most_wanted, const char* text) {
    if (most_wanted.value == 0 || most_offered <= most_wanted) return;
    about(graph, edge, text)
        .with("offered", most_offered)
        .with("wanted", most_wanted)
        .add_to(report);
  };
  compare_bytes(offered.host_bytes, wanted.host_bytes, "edge brings larger payloads than wanted");
  compare_bytes(offered.device_bytes, wanted.device_bytes,
                "edge brings larger device payloads than wanted");
}

void check_room(const Graph& graph, EdgeId id, const Graph::Edge& edge, PlanReport& report) {
  const auto name = graph.edge_name(id);
  const auto& options = edge.options;
  const int one_firing = std::max({1, edge.from->contract().rate, edge.to->contract().rate});
  const int least = std::max(one_firing, options.initial);
  if (options.credit < least) {
    FaultText("edge has too little credit for one firing")
        .with("edge", name)
        .with("credit", options.credit)
        .with("needed", least)
        .add_to(report, "raise the credit of " + name + " to " + std::to_string(least));
  }
  const auto check_bytes = [&](Bytes limit, Bytes packet, const char* which) {
    const Bytes needed = one_firing * packet;
    if (limit.value == 0 || needed <= limit) return;
    FaultText("edge has too few bytes for one firing")
        .with("edge", name)
        .with(which, limit)
        .with("needed", needed)
        .add_to(report, "raise the " + std::string(which) + " of " + name + " to " +
                            std::to_string(needed.value));
  };
  check_bytes(options.host_bytes, edge.from->contract().host_bytes, "host_bytes");
  check_bytes(options.device_bytes, edge.from->contract().device_bytes, "device_bytes");
}

}  // namespace

void check_shape(const Graph& graph, PlanReport& report) {
  std::set<std::string> names;
  std::map<const Port*, int> num_edges;
  for (std::size_t i = 0; i < graph.edges().size(); ++i) {
    const auto& edge = graph.edges()[i];
    ++num_edges[edge.from];
    ++num_edges[edge.to];
    if (owner_in(graph, *edge.from) < 0 || owner_in(graph, *edge.to) < 0) {
      FaultText("edge joins a stage of another graph")
          .with("edge", graph.edge_name(EdgeId{static_cast<int>(i)}))
          .add_to(report);
    }
  }
  const auto check_port = [&](const Port& port, bool input) {
    const int number = num_edges[&port];
    if (number == 0) {
      FaultText(input ? "input port is not connected" : "output port is not connected")
          .with("port", port_name(graph, port))
          .add_to(report);
    }
    if (input && number > 1) {
      FaultText("input port is joined more than once")
          .with("port", port_name(graph, port))
          .with("edges", number)
          .add_to(report, "put a stage that merges them before it");
    }
  };
  for (const auto& node : graph.stages()) {
    if (node.name.empty() || !names.insert(node.name).second) {
      FaultText(node.name.empty() ? "stage has no name" : "two stages have one name")
          .with("stage", node.name)
          .add_to(report);
    }
    for (const auto* port : node.stage->inputs()) check_port(*port, true);
    for (const auto* port : node.stage->outputs()) check_port(*port, false);
  }
}

void check_edges(const Graph& graph, PlanReport& report) {
  for (std::size_t i = 0; i < graph.edges().size(); ++i) {
    const auto& edge = graph.edges()[i];
    if (owner_in(graph, *edge.from) < 0 || owner_in(graph, *edge.to) < 0) continue;
    check_contracts(graph, edge, report);
    check_room(graph, EdgeId{static_cast<int>(i)}, edge, report);
  }
}

}  // namespace askos::dataflow
