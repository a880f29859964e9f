// SPDX-License-Identifier: Apache-2.0
#include "sphere.hpp"

#include <askos/base/error.hpp>
#include <askos/model/graph_builders.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace askos::model {
namespace {

using Face = std::array<std::int64_t, 3>;
using Pair = std::pair<std::int64_t, std::int64_t>;

struct Mesh {
  std::vector<Point> points;
  std::vector<Face> faces;
};

Mesh icosahedron() {
  Mesh mesh;
  const double golden = (1 + std::sqrt(5.0)) / 2;
  const double norm = std::sqrt(1 + golden * golden);
  const double a = 1 / norm;
  const double b = golden / norm;
  for (const double s : {-a, a}) {
    for (const double t : {-b, b}) {
      mesh.points.push_back({s, t, 0});
      mesh.points.push_back({0, s, t});
      mesh.points.push_back({t, 0, s});
    }
  }
  // Neighbours are 2a apart, the next nearest 2b: three mutual neighbours make a face.
  const auto adjacent = [&](std::size_t i, std::size_t j) {
    return dot(mesh.points[i], mesh.points[j]) > 0.4;  // 1 / sqrt(5) against -1 / sqrt(5)
  };
  for (std::size_t i = 0; i < 12; ++i) {
    for (std::size_t j = i + 1; j < 12; ++j) {
      for (std::size_t k = j + 1; k < 12; ++k) {
        if (adjacent(i, j) && adjacent(j, k) && adjacent(i, k)) {
          mesh.faces.push_back({static_cast<std::int64_t>(i), static_cast<std::int64_t>(j),
                                static_cast<std::int64_t>(k)});
        }
      }
    }
  }
  return mesh;
}

/// Cuts each face into four; the old points keep their numbers.
void refine(Mesh& mesh) {
  std::map<Pair, std::int64_t> middles;
  const auto middle_of = [&](std::int64_t i, std::int64_t j) {
    const auto [at, added] =
        middles.try_emplace(std::minmax(i, j), static_cast<std::int64_t>(mesh.points.size()));
    if (added) {
      mesh.points.push_back(middle(mesh.points[static_cast<std::size_t>(i)],
                                   mesh.points[static_cast<std::size_t>(j)]));
    }
    return at->second;
  };
  std::vector<Face> faces;
  faces.reserve(mesh.faces.size() * 4);
  for (const auto& [i, j, k] : mesh.faces) {
    const auto ij = middle_of(i, j);
    const auto jk = middle_of(j, k);
    const auto ki = middle_of(k, i);
    faces.insert(faces.end(), {{i, ij, ki}, {j, jk, ij}, {k, ki, jk}, {ij, jk, ki}});
  }
  mesh.faces = std::move(faces);
}

void add_edges(const Mesh& mesh, std::set<Pair>& edges) {
  for (const auto& face : mesh.faces) {
    for (std::size_t i = 0; i < 3; ++i) {
      const auto from = face[i];
      const auto to = face[(i + 1) % 3];
      edges.insert({to, from});
      edges.insert({from, to});
    }
  }
}

/// Returns the new number of each point: by falling latitude, then longitude. Points of one
/// latitude differ by rounding only, so latitude is compared to 1e-9.
std::vector<std::int64_t> by_latitude(const Nodes& nodes) {
  std::vector<std::size_t> order(nodes.lat.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    return std::pair{-std::llround(nodes.lat[i] * 1e9), nodes.lon[i]};
  };
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::vector<std::int64_t> position(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) position[order[i]] = static_cast<std::int64_t>(i);
  return position;
}

}  // namespace

Icosphere icosphere(int level) {
  if (level < 0 || level > 12) {
    throw Error(Errc::kInvalidInput, "icosphere level is out of range")
        .with("level", level)
        .with("allowed", "0 to 12");
  }
  Mesh mesh = icosahedron();
  std::set<Pair> pairs;  // (destination, source)
  for (int l = 1; l <= level; ++l) {
    refine(mesh);
    add_edges(mesh, pairs);
  }
  Nodes unordered;
  for (const auto& point : mesh.points) {
    unordered.lat.push_back(std::asin(std::clamp(point[2], -1.0, 1.0)));
    unordered.lon.push_back(std::atan2(point[1], point[0]));
  }
  const auto position = by_latitude(unordered);

  Icosphere sphere;
  sphere.nodes = unordered;
  for (std::size_t i = 0; i < position.size(); ++i) {
    const auto to = static_cast<std::size_t>(position[i]);
    sphere.nodes.lat[to] = unordered.lat[i];
    sphere.nodes.lon[to] = unordered.lon[i];
  }
  sphere.edges.num_sources = sphere.edges.num_destinations = sphere.nodes.size();
  for (const auto& [dst, src] : pairs) {
    sphere.edges.src.push_back(position[static_cast<std::size_t>(src)]);
    sphere.edges.dst.push_back(position[static_cast<std::size_t>(dst)]);
  }
  sphere.edges = sort_by_destination(sphere.edges);
  return sphere;
}

}  // namespace askos::model
