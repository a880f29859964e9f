// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/graph.hpp>

#include <random>

namespace askos::model::test {

/// Makes graphs without any structure: some nodes have no edges, some edges come twice, no part is
/// symmetric, node counts divide by nothing in particular.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : generator_(seed) {}

  Graph make(std::int64_t num_data, std::int64_t num_hidden) {
    Graph graph;
    graph.data = nodes(num_data);
    graph.hidden = nodes(num_hidden);
    graph.data_to_hidden = edges(num_data, num_hidden, 3 * num_hidden);
    graph.hidden_to_hidden = edges(num_hidden, num_hidden, 4 * num_hidden);
    graph.hidden_to_data = edges(num_hidden, num_data, 2 * num_data);
    for (std::int64_t i = 0; i < num_data; ++i) graph.data_weights.push_back(uniform(0, 1));
    return graph;
  }

  std::int64_t integer(std::int64_t from, std::int64_t to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(generator_);
  }
  double uniform(double from, double to) {
    return std::uniform_real_distribution<double>(from, to)(generator_);
  }

  Nodes nodes(std::int64_t count) {
    Nodes nodes;
    for (std::int64_t i = 0; i < count; ++i) {
      nodes.lat.push_back(std::asin(uniform(-1, 1)));
      nodes.lon.push_back(uniform(-3.1, 3.1));
    }
    return nodes;
  }

 private:
  Edges edges(std::int64_t sources, std::int64_t destinations, std::int64_t count) {
    Edges edges{sources, destinations, 3, {}, {}, {}};
    for (std::int64_t e = 0; e < count; ++e) {
      edges.src.push_back(integer(0, sources - 1));
      edges.dst.push_back(integer(0, destinations - 1));
      for (int a = 0; a < 3; ++a) edges.attributes.push_back(uniform(-1, 1));
    }
    return edges;
  }

  std::mt19937 generator_;
};

}  // namespace askos::model::test
