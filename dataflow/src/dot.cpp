// SPDX-License-Identifier: Apache-2.0
#include <askos/dataflow/inspector.hpp>

namespace askos::dataflow {
namespace {

std::string quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  return quoted + '"';
}

std::string label_of(const Graph& graph, std::size_t edge, const SessionStatus* status) {
  std::string label = std::to_string(graph.edges()[edge].options.credit);
  if (status != nullptr) {
    for (const auto& reading : status->edges) {
      if (reading.rank == status->edges.front().rank &&
          reading.edge.value == static_cast<int>(edge)) {
        label = std::to_string(reading.in_flight) + "/" + label;
      }
    }
  }
  return label;
}

}  // namespace

std::string to_dot(const Graph& graph, const SessionStatus* status) {
  std::string dot = "digraph " + quote(graph.name()) + " {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const auto& node : graph.stages()) {
    const std::string type = node.stage->type();
    dot += "  " + quote(node.name);
    dot += type.empty() || type == node.name
               ? ";\n"
               : " [label=" + quote(node.name + " (" + type + ")") + "];\n";
  }
  for (std::size_t i = 0; i < graph.edges().size(); ++i) {
    const std::string name = graph.edge_name(EdgeId{static_cast<int>(i)});
    const auto arrow = name.find('>');
    const auto stage_of = [](const std::string& port) { return port.substr(0, port.find('.')); };
    dot += "  " + quote(stage_of(name.substr(0, arrow))) + " -> " +
           quote(stage_of(name.substr(arrow + 1))) +
           " [label=" + quote(label_of(graph, i, status)) + "];\n";
  }
  return dot + "}\n";
}

}  // namespace askos::dataflow
