// SPDX-License-Identifier: Apache-2.0
// The sizes and graphs of whole training steps, those of bench/peers/reference_step.py.
#pragma once

#include <askos/model/graph_builders.hpp>

#include <cmath>
#include <numbers>
#include <string>
#include <utility>

namespace askos::model::bench {

struct StepCase {
  int cells;
  int level;  ///< of the icosphere
  int channels;
  int layers;
  int heads;
  int variables;
};

/// `o32`, `o96` or `n320`; else a toy.
inline StepCase step_case(const std::string& name) {
  if (name == "n320") return {542080, 6, 1024, 16, 16, 100};
  if (name == "o96") return {40320, 5, 1024, 16, 16, 100};
  if (name == "o32") return {5248, 4, 256, 12, 8, 20};
  return {640, 2, 64, 2, 4, 8};
}

/// Points spread evenly over the sphere, from north to south.
inline Nodes spiral(int count) {
  Nodes nodes;
  for (int i = 0; i < count; ++i) {
    const double turns = std::numbers::phi * (i + 0.5);
    nodes.lat.push_back(std::asin(1 - 2 * (i + 0.5) / count));
    nodes.lon.push_back(2 * std::numbers::pi * (turns - std::floor(turns) - 0.5));
  }
  return nodes;
}

/// Cut-off edges (0.6) into the icosphere, the three nearest back.
inline Graph graph_of(const StepCase& sizes) {
  Graph graph;
  graph.data = spiral(sizes.cells);
  Icosphere sphere = icosphere(sizes.level);
  graph.hidden = std::move(sphere.nodes);
  graph.hidden_to_hidden = std::move(sphere.edges);
  graph.data_to_hidden = cut_off_edges(graph.data, graph.hidden, 0.6);
  graph.hidden_to_data = nearest_neighbour_edges(graph.hidden, graph.data, 3);
  set_directional_attributes(graph);
  graph.data_weights.assign(graph.data.lat.size(), 1.0);
  return graph;
}

}  // namespace askos::model::bench
