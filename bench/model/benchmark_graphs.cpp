// SPDX-License-Identifier: Apache-2.0
#include "benchmark_graphs.hpp"

#include <askos/model/graph_builders.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <random>
#include <stdexcept>
#include <utility>

namespace askos::model::cuda {

namespace {

constexpr double kPi = 3.14159265358979323846;

/// Cells per latitude of the reduced Gaussian grid N320, from the pole to the equator: (cells, how
/// many latitudes in a row have them). WMO FM-92 samples of ecCodes (reduced_gg_pl_320) list them.
constexpr std::pair<int, int> kN320[] = {
    {18, 1},    {25, 1},   {36, 1},    {40, 1},   {45, 1},    {50, 1},   {60, 1},   {64, 1},
    {72, 2},    {75, 1},   {81, 1},    {90, 1},   {96, 1},    {100, 1},  {108, 1},  {120, 2},
    {125, 1},   {135, 1},  {144, 2},   {150, 1},  {160, 1},   {180, 3},  {192, 2},  {200, 1},
    {216, 3},   {225, 1},  {240, 3},   {250, 1},  {256, 1},   {270, 2},  {288, 3},  {300, 2},
    {320, 3},   {324, 1},  {360, 6},   {375, 2},  {384, 2},   {400, 2},  {405, 1},  {432, 4},
    {450, 3},   {480, 5},  {486, 1},   {500, 3},  {512, 2},   {540, 5},  {576, 6},  {600, 4},
    {640, 7},   {648, 2},  {675, 4},   {720, 9},  {729, 1},   {750, 4},  {768, 4},  {800, 6},
    {810, 2},   {864, 11}, {900, 8},   {960, 14}, {972, 2},   {1000, 8}, {1024, 6}, {1080, 14},
    {1125, 14}, {1152, 9}, {1200, 18}, {1215, 7}, {1280, 74},
};

/// Sines of the Gaussian latitudes, northern half: roots of the Legendre polynomial, by Newton's
/// method.
std::vector<double> gaussian_sines(int num_latitudes) {
  std::vector<double> sines;
  for (int i = 0; i < num_latitudes / 2; ++i) {
    double x = std::cos(kPi * (i + 0.75) / (num_latitudes + 0.5));
    for (int round = 0; round < 8; ++round) {
      double last = 0;
      double value = 1;
      for (int n = 0; n < num_latitudes; ++n)
        last = std::exchange(value, ((2 * n + 1) * x * value - n * last) / (n + 1));
      x -= value * (x * x - 1) / (num_latitudes * (x * value - last));
    }
    sines.push_back(x);
  }
  return sines;
}

Nodes gaussian_grid(const std::vector<int>& cells) {
  const int half = static_cast<int>(cells.size());
  const auto sines = gaussian_sines(2 * half);
  Nodes nodes;
  for (int row = 0; row < 2 * half; ++row) {
    const int ring = row < half ? row : 2 * half - 1 - row;
    for (int c = 0; c < cells[ring]; ++c) {
      nodes.lat.push_back((row < half ? 1 : -1) * std::asin(sines[ring]));
      nodes.lon.push_back(2 * kPi * c / cells[ring]);
    }
  }
  return nodes;
}

Nodes n320() {
  std::vector<int> cells;
  for (const auto& [count, latitudes] : kN320) cells.insert(cells.end(), latitudes, count);
  return gaussian_grid(cells);
}

Nodes octahedral(int number) {
  std::vector<int> cells;
  for (int ring = 0; ring < number; ++ring) cells.push_back(20 + 4 * ring);
  return gaussian_grid(cells);
}

/// Where a point of a square of 2^15 cells a side lies on Hilbert's curve through it.
std::uint64_t hilbert_distance(std::uint32_t x, std::uint32_t y) {
  std::uint64_t distance = 0;
  for (std::uint32_t side = 1U << 14U; side > 0; side /= 2) {
    const bool right = (x & side) != 0;
    const bool upper = (y & side) != 0;
    distance += static_cast<std::uint64_t>(side) * side * ((right ? 3U : 0U) ^ (upper ? 1U : 0U));
    x &= side - 1;
    y &= side - 1;
    if (!upper) {
      if (right) {
        x = side - 1 - x;
        y = side - 1 - y;
      }
      std::swap(x, y);
    }
  }
  return distance;
}

/// A number that neighbours on the sphere have nearly in common: the face of a cube around it, then
/// Hilbert's curve on the face.
std::uint64_t place(double lat, double lon) {
  const double point[] = {std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon),
                          std::sin(lat)};
  int axis = 0;
  for (int other = 1; other < 3; ++other)
    if (std::abs(point[other]) > std::abs(point[axis])) axis = other;
  const auto cell = [&](double x) {
    const double angle = std::atan(x / std::abs(point[axis])) * 4 / kPi;
    return static_cast<std::uint32_t>(std::clamp((angle + 1) / 2 * 32768, 0.0, 32767.0));
  };
  const std::uint64_t face = axis + (point[axis] > 0 ? 0 : 3);
  return (face << 32U) | hilbert_distance(cell(point[(axis + 1) % 3]), cell(point[(axis + 2) % 3]));
}

/// The new number of each node.
std::vector<int> numbers(const Nodes& nodes, bool hilbert) {
  std::vector<std::uint64_t> places;
  for (std::int64_t i = 0; i < nodes.size(); ++i)
    places.push_back(place(nodes.lat[i], nodes.lon[i]));
  std::vector<int> order(places.size());
  std::iota(order.begin(), order.end(), 0);
  if (hilbert)
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return places[a] < places[b]; });
  std::vector<int> number(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) number[order[i]] = static_cast<int>(i);
  return number;
}

BenchmarkGraph renumbered(const Edges& edges,
                          const std::vector<int>& source,
                          const std::vector<int>& destination) {
  std::vector<std::pair<int, int>> pairs;  // (destination, source)
  for (std::int64_t e = 0; e < edges.size(); ++e)
    pairs.emplace_back(destination[edges.dst[e]], source[edges.src[e]]);
  std::sort(pairs.begin(), pairs.end());
  BenchmarkGraph graph;
  graph.num_sources = static_cast<int>(source.size());
  graph.num_destinations = static_cast<int>(destination.size());
  for (const auto& [to, from] : pairs) {
    graph.sources.push_back(from);
    graph.destinations.push_back(to);
  }
  return graph;
}

BenchmarkGraph processor(int level, bool hilbert) {
  const Icosphere sphere = icosphere(level);
  const auto number = numbers(sphere.nodes, hilbert);
  return renumbered(sphere.edges, number, number);
}

BenchmarkGraph encoder(bool hilbert) {
  const Nodes cells = n320();
  const Icosphere sphere = icosphere(6);
  return renumbered(cut_off_edges(cells, sphere.nodes, 0.6), numbers(cells, hilbert),
                    numbers(sphere.nodes, hilbert));
}

BenchmarkGraph decoder(bool hilbert) {
  const Nodes cells = n320();
  const Icosphere sphere = icosphere(6);
  return renumbered(nearest_neighbour_edges(sphere.nodes, cells, 3), numbers(sphere.nodes, hilbert),
                    numbers(cells, hilbert));
}

BenchmarkGraph neighbours(bool hilbert) {
  const Nodes cells = octahedral(96);
  const auto number = numbers(cells, hilbert);
  return renumbered(nearest_neighbour_edges(cells, cells, 12), number, number);
}

/// Most destinations have few edges, a hundred have a thousand, one has 50 000, a tenth have none.
BenchmarkGraph hubs() {
  std::mt19937 random(1);
  BenchmarkGraph graph;
  graph.num_sources = 40'000;
  graph.num_destinations = 40'000;
  for (int i = 0; i < graph.num_destinations; ++i) {
    const int degree = i == 20'000 ? 50'000 : i % 400 == 1 ? 1000 : i % 10 == 0 ? 0 : 6;
    for (int e = 0; e < degree; ++e) {
      graph.sources.push_back(static_cast<int>(random() % 40'000));
      graph.destinations.push_back(i);
    }
  }
  return graph;
}

}  // namespace

BenchmarkGraph make_benchmark_graph(const std::string& name, bool hilbert) {
  if (name == "processor5") return processor(5, hilbert);
  if (name == "processor6") return processor(6, hilbert);
  if (name == "processor7") return processor(7, hilbert);
  if (name == "encoder") return encoder(hilbert);
  if (name == "decoder") return decoder(hilbert);
  if (name == "knn12") return neighbours(hilbert);
  if (name == "hubs") return hubs();
  throw std::invalid_argument("no such graph: " + name);
}

}  // namespace askos::model::cuda
