// SPDX-License-Identifier: Apache-2.0
#include "sphere.hpp"

#include <askos/model/graph_builders.hpp>

#include <algorithm>

namespace askos::model {
namespace {

double haversine(double lat_a, double lon_a, double lat_b, double lon_b) {
  const double sin_lat = std::sin((lat_b - lat_a) / 2);
  const double sin_lon = std::sin((lon_b - lon_a) / 2);
  const double h = sin_lat * sin_lat + std::cos(lat_a) * std::cos(lat_b) * sin_lon * sin_lon;
  return 2 * std::asin(std::sqrt(std::min(1.0, h)));
}

/// Turns the sphere about `destination x north` until `destination` is the north pole and returns
/// the direction in which `source` then lies.
std::array<double, 2> direction(const Point& source, const Point& destination) {
  double x = source[0];
  double y = source[1];
  const double norm = std::hypot(destination[0], destination[1]);  // sine of the turn
  if (norm > 1e-12) {
    const Point axis = {destination[1] / norm, -destination[0] / norm, 0};
    // Rodrigues' rotation by the angle whose cosine is destination's z.
    const double cosine = destination[2];
    const Point across = cross(axis, source);
    const double along = dot(axis, source) * (1 - cosine);
    x = source[0] * cosine + across[0] * norm + axis[0] * along;
    y = source[1] * cosine + across[1] * norm + axis[1] * along;
  } else if (destination[2] < 0) {
    y = -y;
  }
  const double length = std::hypot(x, y);
  if (length < 1e-12) return {0, 0};
  return {x / length, y / length};
}

/// Divides columns [first, end) of the attributes by the sample standard deviation of all of them.
void divide_by_deviation(Edges& edges, std::int64_t first, std::int64_t end) {
  const double count = static_cast<double>(edges.size() * (end - first));
  double mean = 0;
  const auto for_each = [&](auto&& function) {
    for (std::int64_t e = 0; e < edges.size(); ++e) {
      for (std::int64_t c = first; c < end; ++c) {
        function(edges.attributes[static_cast<std::size_t>(e * edges.num_attributes + c)]);
      }
    }
  };
  for_each([&](double& x) { mean += x / count; });
  double squares = 0;
  for_each([&](double& x) { squares += (x - mean) * (x - mean); });
  const double deviation = std::sqrt(squares / std::max(1.0, count - 1));
  if (deviation > 0) for_each([&](double& x) { x /= deviation; });
}

}  // namespace

void set_directional_attributes(Edges& edges, const Nodes& sources, const Nodes& destinations) {
  edges.num_attributes = 3;
  edges.attributes.clear();
  edges.attributes.reserve(edges.src.size() * 3);
  for (std::size_t e = 0; e < edges.src.size(); ++e) {
    const auto s = static_cast<std::size_t>(edges.src[e]);
    const auto d = static_cast<std::size_t>(edges.dst[e]);
    const double lat_s = sources.lat[s];
    const double lon_s = sources.lon[s];
    const double lat_d = destinations.lat[d];
    const double lon_d = destinations.lon[d];
    const auto towards = direction(to_point(lat_s, lon_s), to_point(lat_d, lon_d));
    edges.attributes.push_back(haversine(lat_s, lon_s, lat_d, lon_d));
    edges.attributes.insert(edges.attributes.end(), towards.begin(), towards.end());
  }
  divide_by_deviation(edges, 0, 1);
  divide_by_deviation(edges, 1, 3);
}

void set_directional_attributes(Graph& graph) {
  set_directional_attributes(graph.data_to_hidden, graph.data, graph.hidden);
  set_directional_attributes(graph.hidden_to_hidden, graph.hidden, graph.hidden);
  set_directional_attributes(graph.hidden_to_data, graph.hidden, graph.data);
}

}  // namespace askos::model
