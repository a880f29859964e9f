// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/graph.hpp>

namespace askos::model {

/// Joins each destination to its `k` nearest sources (chord distance on the unit sphere), nearest
/// first; to all of them if there are fewer. Edges come sorted by destination.
[[nodiscard]] Edges nearest_neighbour_edges(const Nodes& sources, const Nodes& destinations, int k);

/// Joins each destination to all sources within `factor` times the largest distance between a
/// destination and its nearest other destination; to the `max_neighbours` nearest if there are
/// more.
[[nodiscard]] Edges cut_off_edges(const Nodes& sources,
                                  const Nodes& destinations,
                                  double factor,
                                  int max_neighbours = 64);

/// An icosahedron refined `level` times: 10 * 4^level + 2 nodes, by falling latitude, then
/// longitude, so that contiguous shards are latitude bands.
struct Icosphere {
  Nodes nodes;
  Edges edges;  ///< union of the edges of levels 1 ... level, both ways, none twice
};
[[nodiscard]] Icosphere icosphere(int level);

/// Picks `count` nodes spread evenly, each next one the farthest from all before it, starting with
/// node 0. Returns their indices in rising order. O(count * nodes).
[[nodiscard]] std::vector<std::int64_t> spread_subset(const Nodes& nodes, std::int64_t count);

/// Returns the nodes at `indices`, in that order.
[[nodiscard]] Nodes select(const Nodes& nodes, const std::vector<std::int64_t>& indices);

/// Replaces the attributes by `edge_length` and `edge_dirs` (3 numbers an edge).
///
/// Length is the central angle. Direction is where the source lies, as a unit vector in the plane,
/// once the sphere is turned (about destination x north) so that the destination is the north pole.
/// Both are divided by their sample standard deviation over all edges (both columns of the
/// direction together). A self-loop has direction (0, 0).
void set_directional_attributes(Edges& edges, const Nodes& sources, const Nodes& destinations);

/// Does so with the edges of encoder, processor and decoder, each kind by itself.
void set_directional_attributes(Graph& graph);

/// Computes the area of each node's cell in the spherical Voronoi diagram; they add up to 4 pi.
/// Throws `Errc::kInvalidInput` if the nodes do not surround the centre of the sphere.
[[nodiscard]] std::vector<double> voronoi_areas(const Nodes& nodes);

/// A regional grid: hidden nodes are a coarser subset of the cells, edges join nearest neighbours,
/// all cells weigh the same.
struct RegionalGraphOptions {
  std::int64_t num_hidden = 0;   ///< 0: a quarter of the cells
  int encoder_neighbours = 9;    ///< cells read by each hidden node
  int processor_neighbours = 9;  ///< hidden nodes read by each hidden node, itself among them
  int decoder_neighbours = 4;    ///< hidden nodes read by each cell
};
[[nodiscard]] Graph regional_graph(const Nodes& cells, const RegionalGraphOptions& options = {});

/// A global grid: an icosphere with multi-scale edges, cut-off edges into it, nearest neighbours
/// back, weights by Voronoi area.
struct GlobalGraphOptions {
  int level = 5;                ///< of the icosphere
  double cut_off_factor = 0.6;  ///< of the encoder
  int decoder_neighbours = 3;
};
[[nodiscard]] Graph global_graph(const Nodes& cells, const GlobalGraphOptions& options = {});

/// A global grid that is finer in a region: so is the icosphere. All its nodes up to `level` stay,
/// those of finer levels where the nearest cell lies in the region, and every edge of
/// `icosphere(region_level)` whose two ends stay. Edges into it and back join nearest neighbours,
/// weights are Voronoi areas.
struct StretchedGraphOptions {
  int level = 4;
  int region_level = 6;  ///< >= level
  int encoder_neighbours = 12;
  int decoder_neighbours = 3;
};
/// `in_region` has one entry per cell.
[[nodiscard]] Graph stretched_graph(const Nodes& cells,
                                    const std::vector<bool>& in_region,
                                    const StretchedGraphOptions& options = {});

}  // namespace askos::model
