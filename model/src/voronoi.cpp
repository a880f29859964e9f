// SPDX-License-Identifier: Apache-2.0
// Spherical Voronoi areas: the convex hull of points on a sphere is their Delaunay triangulation,
// and the outward unit normal of a facet is the corner that the cells of its points share.
#include "sphere.hpp"

#include <askos/base/error.hpp>
#include <askos/model/graph_builders.hpp>

extern "C" {
#include <libqhull_r/qhull_ra.h>
}

#include <memory>

namespace askos::model {
namespace {

/// Signed solid angle of the triangle (a, b, c); Van Oosterom and Strackee 1983, equation 8.
double solid_angle(const Point& a, const Point& b, const Point& c) {
  return 2 * std::atan2(dot(a, cross(b, c)), 1 + dot(a, b) + dot(b, c) + dot(c, a));
}

struct Hull {
  Hull() { qh_zero(&state, nullptr); }
  ~Hull() {
    qh_freeqhull(&state, !qh_ALL);
    int remaining = 0;
    int total = 0;
    qh_memfreeshort(&state, &remaining, &total);
  }
  Hull(Hull&&) = delete;
  qhT state{};
};

}  // namespace

std::vector<double> voronoi_areas(const Nodes& nodes) {
  auto points = to_points(nodes);
  Hull hull;
  char command[] = "qhull Qt Pp";  // triangulated output, no advice on stderr
  const int code = points.size() < 4
                       ? 1
                       : qh_new_qhull(&hull.state, 3, static_cast<int>(points.size()),
                                      points.front().data(), False, command, nullptr, nullptr);
  if (code != 0) {
    throw Error(Errc::kInvalidInput, "nodes have no convex hull, so no Voronoi areas")
        .with("nodes", points.size())
        .with("qhull_code", code);
  }
  std::vector<double> areas(points.size(), 0.0);
  double total = 0;
  for (facetT* facet = hull.state.facet_list; facet != nullptr && facet->next != nullptr;
       facet = facet->next) {
    const Point corner = {facet->normal[0], facet->normal[1], facet->normal[2]};
    std::array<std::size_t, 3> at{};
    for (int i = 0; i < 3; ++i) {
      auto* vertex = static_cast<vertexT*>(facet->vertices->e[i].p);
      at[static_cast<std::size_t>(i)] =
          static_cast<std::size_t>(qh_pointid(&hull.state, vertex->point));
    }
    const Point& a = points[at[0]];
    const Point& b = points[at[1]];
    const Point& c = points[at[2]];
    const double sign = dot(a, cross(b, c)) < 0 ? -1 : 1;  // qhull's vertices are not oriented
    for (std::size_t i = 0; i < 3; ++i) {
      const Point& here = points[at[i]];
      const Point& next = points[at[(i + 1) % 3]];
      const Point& last = points[at[(i + 2) % 3]];
      const double part = sign * (solid_angle(here, middle(here, next), corner) +
                                  solid_angle(here, corner, middle(here, last)));
      areas[at[i]] += part;
      total += part;
    }
  }
  constexpr double kSphere = 4 * 3.14159265358979323846;
  if (std::abs(total - kSphere) > 1e-6) {
    throw Error(Errc::kInvalidInput, "nodes do not surround the sphere, so no Voronoi areas")
        .with("area", total)
        .with("sphere", kSphere);
  }
  return areas;
}

}  // namespace askos::model
