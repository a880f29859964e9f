// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/model/graph_builders.hpp>

#include <set>
#include <utility>

namespace askos::model {
namespace {

/// Position of each node's nearest node in `others`.
std::vector<std::int64_t> nearest(const Nodes& nodes, const Nodes& others) {
  return nearest_neighbour_edges(others, nodes, 1).src;  // sorted by node
}

/// Edges of `sphere` between nodes at `kept`, rising, in terms of those.
Edges edges_between(const Icosphere& sphere, const std::vector<std::int64_t>& kept) {
  std::vector<std::int64_t> number(static_cast<std::size_t>(sphere.nodes.size()), -1);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    number[static_cast<std::size_t>(kept[i])] = static_cast<std::int64_t>(i);
  }
  const auto count = static_cast<std::int64_t>(kept.size());
  Edges edges{count, count, 0, {}, {}, {}};
  for (std::size_t e = 0; e < sphere.edges.src.size(); ++e) {
    const auto src = number[static_cast<std::size_t>(sphere.edges.src[e])];
    const auto dst = number[static_cast<std::size_t>(sphere.edges.dst[e])];
    if (src < 0 || dst < 0) continue;
    edges.src.push_back(src);
    edges.dst.push_back(dst);
  }
  return edges;
}

}  // namespace

Graph stretched_graph(const Nodes& cells,
                      const std::vector<bool>& in_region,
                      const StretchedGraphOptions& options) {
  if (in_region.size() != cells.lat.size() || options.region_level < options.level) {
    throw Error(Errc::kInvalidInput, "a stretched graph needs a finer level in a region of cells")
        .with("level", options.level)
        .with("region_level", options.region_level)
        .with("cells", cells.size())
        .with("in_region", in_region.size());
  }
  const Icosphere sphere = icosphere(options.region_level);
  // Refinement halves edges, so nodes of a coarser sphere are nodes of each finer one.
  const std::vector<std::int64_t> coarse = nearest(icosphere(options.level).nodes, sphere.nodes);
  std::set<std::int64_t> wanted(coarse.begin(), coarse.end());
  const std::vector<std::int64_t> cell_of = nearest(sphere.nodes, cells);
  for (std::size_t node = 0; node < cell_of.size(); ++node) {
    if (in_region[static_cast<std::size_t>(cell_of[node])]) {
      wanted.insert(static_cast<std::int64_t>(node));
    }
  }
  const std::vector<std::int64_t> kept(wanted.begin(), wanted.end());

  Graph graph;
  graph.data = cells;
  graph.hidden = select(sphere.nodes, kept);
  graph.hidden_to_hidden = edges_between(sphere, kept);
  graph.data_to_hidden =
      nearest_neighbour_edges(graph.data, graph.hidden, options.encoder_neighbours);
  graph.hidden_to_data =
      nearest_neighbour_edges(graph.hidden, graph.data, options.decoder_neighbours);
  set_directional_attributes(graph);
  graph.data_weights = voronoi_areas(cells);
  return graph;
}

}  // namespace askos::model
