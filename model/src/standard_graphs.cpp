// SPDX-License-Identifier: Apache-2.0
#include <askos/model/graph_builders.hpp>

#include <algorithm>

namespace askos::model {

Graph regional_graph(const Nodes& cells, const RegionalGraphOptions& options) {
  Graph graph;
  graph.data = cells;
  const auto wanted = options.num_hidden > 0 ? options.num_hidden : (cells.size() + 3) / 4;
  graph.hidden = select(cells, spread_subset(cells, std::min(wanted, cells.size())));
  graph.data_to_hidden =
      nearest_neighbour_edges(graph.data, graph.hidden, options.encoder_neighbours);
  graph.hidden_to_hidden =
      nearest_neighbour_edges(graph.hidden, graph.hidden, options.processor_neighbours);
  graph.hidden_to_data =
      nearest_neighbour_edges(graph.hidden, graph.data, options.decoder_neighbours);
  set_directional_attributes(graph);
  graph.data_weights.assign(cells.lat.size(), 1.0);
  return graph;
}

Graph global_graph(const Nodes& cells, const GlobalGraphOptions& options) {
  Graph graph;
  graph.data = cells;
  Icosphere sphere = icosphere(options.level);
  graph.hidden = std::move(sphere.nodes);
  graph.hidden_to_hidden = std::move(sphere.edges);
  graph.data_to_hidden = cut_off_edges(graph.data, graph.hidden, options.cut_off_factor);
  graph.hidden_to_data =
      nearest_neighbour_edges(graph.hidden, graph.data, options.decoder_neighbours);
  set_directional_attributes(graph);
  graph.data_weights = voronoi_areas(cells);
  return graph;
}

}  // namespace askos::model
