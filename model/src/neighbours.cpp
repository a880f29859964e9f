// SPDX-License-Identifier: Apache-2.0
// Edges by distance on the sphere, searched in a k-d tree of chord distances.
#include "sphere.hpp"

#include <askos/base/error.hpp>
#include <askos/model/graph_builders.hpp>

#include <nanoflann.hpp>

#include <algorithm>
#include <limits>

namespace askos::model {
namespace {

class Cloud {
 public:
  explicit Cloud(const Nodes& nodes) : points_(to_points(nodes)) {}
  [[nodiscard]] std::size_t kdtree_get_point_count() const { return points_.size(); }
  [[nodiscard]] double kdtree_get_pt(std::size_t i, std::size_t axis) const {
    return points_[i][axis];
  }
  template <typename Box>
  bool kdtree_get_bbox(Box& /*box*/) const {
    return false;
  }

 private:
  std::vector<Point> points_;
};

class NeighbourSearch {
 public:
  explicit NeighbourSearch(const Nodes& nodes)
      : cloud_(nodes), tree_(3, cloud_, nanoflann::KDTreeSingleIndexAdaptorParams(16)) {
    tree_.buildIndex();
  }

  /// Returns up to `k` (squared chord distance, index), nearest first.
  [[nodiscard]] std::vector<std::pair<double, std::size_t>> nearest(const Point& at,
                                                                    std::size_t k) const {
    std::vector<std::size_t> indices(k);
    std::vector<double> distances(k);
    const std::size_t found = tree_.knnSearch(at.data(), k, indices.data(), distances.data());
    std::vector<std::pair<double, std::size_t>> neighbours(found);
    for (std::size_t i = 0; i < found; ++i) neighbours[i] = {distances[i], indices[i]};
    std::sort(neighbours.begin(), neighbours.end());
    return neighbours;
  }

  /// Returns the sources within `radius` (chord), nearest first.
  [[nodiscard]] std::vector<std::pair<double, std::size_t>> within(const Point& at,
                                                                   double radius) const {
    std::vector<std::pair<std::size_t, double>> matches;
    tree_.radiusSearch(at.data(), radius * radius, matches, nanoflann::SearchParams());
    std::vector<std::pair<double, std::size_t>> neighbours;
    neighbours.reserve(matches.size());
    for (const auto& [index, distance] : matches) neighbours.emplace_back(distance, index);
    std::sort(neighbours.begin(), neighbours.end());
    return neighbours;
  }

 private:
  using Tree = nanoflann::
      KDTreeSingleIndexAdaptor<nanoflann::L2_Simple_Adaptor<double, Cloud>, Cloud, 3, std::size_t>;
  Cloud cloud_;
  Tree tree_;
};

Edges empty_edges(const Nodes& sources, const Nodes& destinations) {
  if (sources.size() == 0 || destinations.size() == 0) {
    throw Error(Errc::kInvalidInput, "edges need nodes on both sides")
        .with("sources", sources.size())
        .with("destinations", destinations.size());
  }
  Edges edges;
  edges.num_sources = sources.size();
  edges.num_destinations = destinations.size();
  return edges;
}

}  // namespace

Edges nearest_neighbour_edges(const Nodes& sources, const Nodes& destinations, int k) {
  Edges edges = empty_edges(sources, destinations);
  const NeighbourSearch search(sources);
  const auto points = to_points(destinations);
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (const auto& [distance, source] : search.nearest(points[i], static_cast<std::size_t>(k))) {
      edges.src.push_back(static_cast<std::int64_t>(source));
      edges.dst.push_back(static_cast<std::int64_t>(i));
    }
  }
  return edges;
}

Edges cut_off_edges(const Nodes& sources,
                    const Nodes& destinations,
                    double factor,
                    int max_neighbours) {
  Edges edges = empty_edges(sources, destinations);
  const auto points = to_points(destinations);
  double reference = 0;  // squared
  const NeighbourSearch among_destinations(destinations);
  for (const auto& point : points) {
    const auto nearest = among_destinations.nearest(point, 2);
    reference = std::max(reference, nearest.back().first);
  }
  const double radius = factor * std::sqrt(reference);
  const NeighbourSearch search(sources);
  for (std::size_t i = 0; i < points.size(); ++i) {
    auto neighbours = search.within(points[i], radius);
    neighbours.resize(std::min(neighbours.size(), static_cast<std::size_t>(max_neighbours)));
    for (const auto& [distance, source] : neighbours) {
      edges.src.push_back(static_cast<std::int64_t>(source));
      edges.dst.push_back(static_cast<std::int64_t>(i));
    }
  }
  return edges;
}

std::vector<std::int64_t> spread_subset(const Nodes& nodes, std::int64_t count) {
  if (count < 1 || count > nodes.size()) {
    throw Error(Errc::kInvalidInput, "cannot pick that many nodes")
        .with("wanted", count)
        .with("nodes", nodes.size());
  }
  const auto points = to_points(nodes);
  std::vector<double> to_chosen(points.size(), std::numeric_limits<double>::max());
  std::vector<std::int64_t> chosen;
  std::size_t next = 0;
  while (static_cast<std::int64_t>(chosen.size()) < count) {
    chosen.push_back(static_cast<std::int64_t>(next));
    for (std::size_t i = 0; i < points.size(); ++i) {
      to_chosen[i] = std::min(to_chosen[i], 2 - 2 * dot(points[i], points[next]));
    }
    to_chosen[next] = -1;  // never again, even among coinciding nodes
    next = static_cast<std::size_t>(std::max_element(to_chosen.begin(), to_chosen.end()) -
                                    to_chosen.begin());
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

Nodes select(const Nodes& nodes, const std::vector<std::int64_t>& indices) {
  Nodes chosen;
  for (const auto i : indices) {
    chosen.lat.push_back(nodes.lat[static_cast<std::size_t>(i)]);
    chosen.lon.push_back(nodes.lon[static_cast<std::size_t>(i)]);
  }
  return chosen;
}

}  // namespace askos::model
