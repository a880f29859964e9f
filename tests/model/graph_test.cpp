// SPDX-License-Identifier: Apache-2.0
// Graph builders against brute force and against attributes that the reference computed.
#include "parity_case.hpp"
#include "random_graph.hpp"

#include <askos/base/error.hpp>
#include <askos/model/graph_builders.hpp>

#include <gmock/gmock.h>

#include <numbers>
#include <numeric>
#include <set>

namespace askos::model::test {
namespace {

double chord(const Nodes& a, std::int64_t i, const Nodes& b, std::int64_t j) {
  const auto at = [](const Nodes& nodes, std::int64_t n) {
    const auto k = static_cast<std::size_t>(n);
    return std::array{std::cos(nodes.lat[k]) * std::cos(nodes.lon[k]),
                      std::cos(nodes.lat[k]) * std::sin(nodes.lon[k]), std::sin(nodes.lat[k])};
  };
  const auto p = at(a, i);
  const auto q = at(b, j);
  return std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

/// Distances of the sources of each destination, rising.
std::vector<std::vector<double>> distances(const Edges& edges,
                                           const Nodes& sources,
                                           const Nodes& destinations) {
  std::vector<std::vector<double>> found(static_cast<std::size_t>(destinations.size()));
  for (std::size_t e = 0; e < edges.src.size(); ++e) {
    found[static_cast<std::size_t>(edges.dst[e])].push_back(
        chord(sources, edges.src[e], destinations, edges.dst[e]));
  }
  for (auto& list : found) std::sort(list.begin(), list.end());
  return found;
}

std::vector<double> all_distances(const Nodes& sources, const Nodes& destinations, std::int64_t i) {
  std::vector<double> all;
  for (std::int64_t s = 0; s < sources.size(); ++s)
    all.push_back(chord(sources, s, destinations, i));
  std::sort(all.begin(), all.end());
  return all;
}

TEST(NearestNeighbourEdges, AreTheNearestOfAll) {
  RandomGraph random(1);
  const Nodes sources = random.nodes(300);
  const Nodes destinations = random.nodes(70);
  const auto found =
      distances(nearest_neighbour_edges(sources, destinations, 5), sources, destinations);
  for (std::int64_t i = 0; i < destinations.size(); ++i) {
    auto expected = all_distances(sources, destinations, i);
    expected.resize(5);
    EXPECT_THAT(found[static_cast<std::size_t>(i)],
                ::testing::Pointwise(::testing::DoubleNear(1e-14), expected));
  }
  EXPECT_EQ(nearest_neighbour_edges(destinations, sources, 100).size(), 300 * 70);
}

TEST(CutOffEdges, TakeAllWithinTheRadiusUpToTheLimit) {
  RandomGraph random(2);
  const Nodes sources = random.nodes(400);
  const Nodes destinations = random.nodes(50);
  double radius = 0;
  for (std::int64_t i = 0; i < 50; ++i) {
    radius = std::max(radius, all_distances(destinations, destinations, i)[1]);
  }
  for (const int limit : {1000, 6}) {
    const auto found =
        distances(cut_off_edges(sources, destinations, 0.7, limit), sources, destinations);
    for (std::int64_t i = 0; i < 50; ++i) {
      auto expected = all_distances(sources, destinations, i);
      std::erase_if(expected, [&](double d) { return d >= 0.7 * radius; });
      expected.resize(std::min<std::size_t>(expected.size(), static_cast<std::size_t>(limit)));
      EXPECT_THAT(found[static_cast<std::size_t>(i)],
                  ::testing::Pointwise(::testing::DoubleNear(1e-14), expected));
    }
  }
}

TEST(Icosphere, HasTheKnownCountsAndRegularDegrees) {
  for (const int level : {1, 2, 3}) {
    const Icosphere sphere = icosphere(level);
    EXPECT_EQ(sphere.nodes.size(), 10 * (1 << (2 * level)) + 2);
    std::int64_t edges = 0;
    for (int l = 1; l <= level; ++l) edges += 60 * (1 << (2 * l));
    EXPECT_EQ(sphere.edges.size(), edges);
    std::set<std::pair<std::int64_t, std::int64_t>> pairs;
    std::map<std::int64_t, int> degrees;
    for (std::size_t e = 0; e < sphere.edges.src.size(); ++e) {
      pairs.insert({sphere.edges.src[e], sphere.edges.dst[e]});
      ++degrees[sphere.edges.dst[e]];
    }
    EXPECT_EQ(static_cast<std::int64_t>(pairs.size()), edges);
    std::map<int, int> nodes_of_degree;
    for (const auto& [src, dst] : pairs) EXPECT_TRUE(pairs.contains({dst, src}));
    for (const auto& [node, degree] : degrees) ++nodes_of_degree[degree];
    // The newest nodes have six neighbours, the twelve first ones five on every level.
    EXPECT_EQ(nodes_of_degree[5 * level], 12);
    EXPECT_EQ(nodes_of_degree[6], sphere.nodes.size() - icosphere(level - 1).nodes.size());
    EXPECT_TRUE(std::is_sorted(sphere.edges.dst.begin(), sphere.edges.dst.end()));
    EXPECT_GT(sphere.nodes.lat.front(), 1.0);
    EXPECT_LT(sphere.nodes.lat.back(), -1.0);
  }
}

TEST(SpreadSubset, LeavesNoNodeFarFromAll) {
  const Nodes nodes = RandomGraph(3).nodes(500);
  const auto chosen = spread_subset(nodes, 60);
  EXPECT_EQ(std::set<std::int64_t>(chosen.begin(), chosen.end()).size(), 60U);
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  const Nodes subset = select(nodes, chosen);
  double least_between = 2;
  for (std::int64_t i = 0; i < 60; ++i) {
    least_between = std::min(least_between, all_distances(subset, subset, i)[1]);
  }
  // Farthest-point sampling: every node is at most as far from the subset as the subset's closest
  // pair is apart.
  for (std::int64_t i = 0; i < 500; ++i) {
    EXPECT_LE(all_distances(subset, nodes, i)[0], least_between + 1e-12);
  }
  EXPECT_EQ(spread_subset(nodes, 500).size(), 500U);
  EXPECT_THROW((void)spread_subset(nodes, 501), Error);
}

TEST(EdgeAttributes, EqualTheReferenceOnes) {
  for (const char* name : {"base", "qknorm_chunks", "tri_truncated"}) {
    const ParityCase parity(name);
    const auto check = [](const Edges& stored, const Nodes& sources, const Nodes& destinations) {
      Edges ours = stored;
      set_directional_attributes(ours, sources, destinations);
      for (std::size_t e = 0; e < stored.src.size(); ++e) {
        if (stored.attributes[3 * e] < 1e-3) continue;  // a self-loop: rounding noise there
        for (std::size_t a = 0; a < 3; ++a) {
          // The reference computes in float32, where directions of short edges lose digits.
          EXPECT_NEAR(ours.attributes[3 * e + a], stored.attributes[3 * e + a], 2e-4);
        }
      }
    };
    check(parity.graph.data_to_hidden, parity.graph.data, parity.graph.hidden);
    check(parity.graph.hidden_to_data, parity.graph.hidden, parity.graph.data);
  }
}

TEST(EdgeAttributes, PointNorthToASourceInTheNorth) {
  const Nodes destination = {{0.3}, {1.2}};
  const Nodes sources = {{0.5, 0.1, 0.3}, {1.2, 1.2, 1.2}};
  Edges edges{3, 1, 0, {0, 1, 2}, {0, 0, 0}, {}};
  set_directional_attributes(edges, sources, destination);
  EXPECT_EQ(edges.num_attributes, 3);
  const auto& a = edges.attributes;
  EXPECT_NEAR(a[0], a[3], 1e-12);  // 0.2 radians both
  // Opposite directions, and none for the self-loop.
  EXPECT_NEAR(a[1], -a[4], 1e-12);
  EXPECT_NEAR(a[2], -a[5], 1e-12);
  EXPECT_EQ(a[7], 0);
  EXPECT_EQ(a[8], 0);
}

TEST(VoronoiAreas, AreThoseOfTheReference) {
  for (const char* name : {"base", "multistep_premlp"}) {
    const ParityCase parity(name);
    const auto stored = doubles(
        read_tensors(kParityFolder / name / "graph.safetensors").at("nodes.data.area_weight"));
    const auto areas = voronoi_areas(parity.graph.data);
    const double largest = *std::max_element(areas.begin(), areas.end());
    EXPECT_NEAR(std::accumulate(areas.begin(), areas.end(), 0.0), 4 * std::numbers::pi, 1e-10);
    for (std::size_t i = 0; i < areas.size(); ++i) {
      EXPECT_NEAR(areas[i] / largest, stored[i], 1e-6);  // positions were stored in float32
    }
  }
}

TEST(VoronoiAreas, RefuseNodesOfOneHemisphere) {
  Nodes nodes = RandomGraph(4).nodes(30);
  for (auto& lat : nodes.lat) lat = std::abs(lat) + 0.05;
  EXPECT_THROW((void)voronoi_areas(nodes), Error);
  EXPECT_THROW((void)voronoi_areas({{0, 1}, {0, 1}}), Error);
}

TEST(SortByDestination, IsTheReferenceOrder) {
  const ParityCase parity("base");
  const auto order = apps::integers(read_tensors(kParityFolder / "base" / "graph.safetensors")
                                        .at("edges.data_to_hidden.sort_perm"));
  const Edges sorted = sort_by_destination(parity.graph.data_to_hidden);
  for (std::size_t e = 0; e < order.size(); ++e) {
    const auto from = static_cast<std::size_t>(order[e]);
    EXPECT_EQ(sorted.src[e], parity.graph.data_to_hidden.src[from]);
    EXPECT_EQ(sorted.attributes[3 * e], parity.graph.data_to_hidden.attributes[3 * from]);
  }
}

TEST(Graphs, OfARegionAndOfTheGlobeAreValid) {
  const Nodes cells = RandomGraph(5).nodes(400);
  const Graph regional = regional_graph(cells);
  validate(regional);
  EXPECT_EQ(regional.hidden.size(), 100);
  EXPECT_EQ(regional.data_to_hidden.size(), 900);
  EXPECT_EQ(regional.hidden_to_data.size(), 1600);
  const Graph global = global_graph(cells, {.level = 2});
  validate(global);
  EXPECT_EQ(global.hidden.size(), 162);
}

TEST(StretchedGraph, IsAnIcosphereThatIsFinerInTheRegion) {
  const Nodes cells = RandomGraph(7).nodes(600);
  std::vector<bool> in_region(600);
  for (std::size_t i = 0; i < 600; ++i) in_region[i] = cells.lat[i] > 0.6;
  const Graph graph = stretched_graph(cells, in_region, {.level = 1, .region_level = 3});
  validate(graph);
  EXPECT_EQ(graph.data_to_hidden.size(), 12 * graph.hidden.size());
  EXPECT_EQ(graph.hidden_to_data.size(), 3 * 600);
  // A sphere of level 3 has 642 nodes, 22 % of them north of 0.6; level 1 has 42.
  const auto northern = std::count_if(graph.hidden.lat.begin(), graph.hidden.lat.end(),
                                      [](double lat) { return lat > 0.7; });
  const auto southern = std::count_if(graph.hidden.lat.begin(), graph.hidden.lat.end(),
                                      [](double lat) { return lat < 0.3; });
  EXPECT_GT(northern, 90);
  EXPECT_LT(southern, 35);
  std::vector<int> degree(static_cast<std::size_t>(graph.hidden.size()));
  for (const auto node : graph.hidden_to_hidden.dst) ++degree[static_cast<std::size_t>(node)];
  EXPECT_GT(*std::min_element(degree.begin(), degree.end()), 0);

  const Graph everywhere =
      stretched_graph(cells, std::vector<bool>(600, true), {.level = 0, .region_level = 2});
  EXPECT_EQ(everywhere.hidden.size(), 162);
  EXPECT_EQ(everywhere.hidden_to_hidden.src, icosphere(2).edges.src);
  EXPECT_EQ(everywhere.hidden_to_hidden.dst, icosphere(2).edges.dst);
}

TEST(StretchedGraph, RefusesARegionOfOtherCells) {
  const Nodes cells = RandomGraph(8).nodes(40);
  EXPECT_THROW((void)stretched_graph(cells, std::vector<bool>(39)), Error);
  EXPECT_THROW((void)stretched_graph(cells, std::vector<bool>(40), {.level = 3, .region_level = 2}),
               Error);
}

TEST(Graphs, NameEveryFault) {
  Graph graph = regional_graph(RandomGraph(6).nodes(40));
  graph.data_to_hidden.src[3] = 40;
  graph.hidden_to_data.dst[0] = -1;
  graph.data_weights.pop_back();
  graph.hidden_to_hidden.attributes[0] = std::nan("");
  try {
    validate(graph);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(
        error.what(),
        ::testing::AllOf(::testing::HasSubstr("data_to_hidden: source index out of range"),
                         ::testing::HasSubstr("hidden_to_data: destination index out of range"),
                         ::testing::HasSubstr("data_weights: one per data node"),
                         ::testing::HasSubstr("hidden_to_hidden: attribute is not finite")));
  }
}

}  // namespace
}  // namespace askos::model::test
