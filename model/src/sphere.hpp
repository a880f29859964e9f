// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/graph.hpp>

#include <array>
#include <cmath>
#include <vector>

namespace askos::model {

/// A point on the unit sphere.
using Point = std::array<double, 3>;

[[nodiscard]] inline Point to_point(double lat, double lon) {
  return {std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon), std::sin(lat)};
}

[[nodiscard]] inline double dot(const Point& a, const Point& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

[[nodiscard]] inline Point cross(const Point& a, const Point& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

/// Returns the direction of `a + b`.
[[nodiscard]] inline Point middle(const Point& a, const Point& b) {
  const Point sum = {a[0] + b[0], a[1] + b[1], a[2] + b[2]};
  const double norm = std::sqrt(dot(sum, sum));
  return {sum[0] / norm, sum[1] / norm, sum[2] / norm};
}

[[nodiscard]] inline std::vector<Point> to_points(const Nodes& nodes) {
  std::vector<Point> points(nodes.lat.size());
  for (std::size_t i = 0; i < points.size(); ++i) points[i] = to_point(nodes.lat[i], nodes.lon[i]);
  return points;
}

}  // namespace askos::model
