// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/cutout.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

namespace askos::io {
namespace {

using Point = std::array<double, 3>;

constexpr double kRadians = std::numbers::pi / 180;

Point on_sphere(double latitude, double longitude) {
  const double lat = latitude * kRadians;
  const double lon = longitude * kRadians;
  return {std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon), std::sin(lat)};
}

double squared_chord(const Point& a, const Point& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/// Finds out whether points lie near any cell of a region.
class Neighbourhood {
 public:
  Neighbourhood(const DatasetInfo& region, double distance)
      : distance_(distance), squared_chord_(std::pow(2 * std::sin(distance * kRadians / 2), 2)) {
    for (std::size_t cell = 0; cell < region.latitudes.size(); ++cell) {
      by_latitude_.emplace_back(region.latitudes[cell],
                                on_sphere(region.latitudes[cell], region.longitudes[cell]));
    }
    std::sort(by_latitude_.begin(), by_latitude_.end());
  }

  [[nodiscard]] bool contains(double latitude, double longitude) const {
    const Point point = on_sphere(latitude, longitude);
    const auto first = std::ranges::lower_bound(by_latitude_, latitude - distance_, {},
                                                [](const auto& entry) { return entry.first; });
    for (auto cell = first; cell != by_latitude_.end() && cell->first <= latitude + distance_;
         ++cell) {
      if (squared_chord(cell->second, point) <= squared_chord_) return true;
    }
    return false;
  }

 private:
  double distance_;
  double squared_chord_;
  std::vector<std::pair<double, Point>> by_latitude_;
};

void refuse(const DatasetIndex& region, const DatasetIndex& globe, const std::string& what) {
  throw Error(Errc::kInvalidInput, "region and globe do not fit together")
      .with("region", region.path().string())
      .with("globe", globe.path().string())
      .with("fault", what);
}

void check_members(const DatasetIndex& region, const DatasetIndex& globe) {
  const auto& inner = region.info();
  const auto& outer = globe.info();
  if (inner.num_variables() != outer.num_variables()) {
    refuse(region, globe, "another number of variables");
  }
  for (std::size_t v = 0; v < inner.variables.size(); ++v) {
    const VariableInfo& a = inner.variables[v];
    const VariableInfo& b = outer.variables[v];
    if (a.name != b.name || a.unit != b.unit) {
      refuse(region, globe,
             "'" + a.name + "' in " + a.unit + " stands where the globe has '" + b.name + "' in " +
                 b.unit);
    }
  }
  if (inner.num_ensembles != outer.num_ensembles) {
    refuse(region, globe, "another number of members");
  }
  if (inner.step != outer.step) refuse(region, globe, "another time step");
}

}  // namespace

Cutout::Cutout(std::shared_ptr<const DatasetIndex> region,
               std::shared_ptr<const DatasetIndex> globe,
               double distance)
    : region_(std::move(region)), globe_(std::move(globe)), info_(region_->info()) {
  check_members(*region_, *globe_);
  const auto& outer = globe_->info();
  shift_ = outer.row_at(info_.first_time);
  (void)outer.row_at(info_.time_of(info_.num_rows - 1));
  const Neighbourhood near(info_, distance);
  for (std::int64_t cell = 0; cell < outer.num_cells(); ++cell) {
    const auto at = static_cast<std::size_t>(cell);
    if (near.contains(outer.latitudes[at], outer.longitudes[at])) continue;
    kept_.push_back(cell);
    info_.latitudes.push_back(outer.latitudes[at]);
    info_.longitudes.push_back(outer.longitudes[at]);
  }
  info_.title += ", set into " + outer.title;
  info_.uuid += "+" + outer.uuid;
  info_.grid_shape = {info_.num_cells()};
  info_.grid_cells = {};
  info_.chunk_cells = 0;
}

bool Cutout::row_present(std::int64_t row) const {
  return region_->row_present(row) && globe_->row_present(globe_row(row));
}

}  // namespace askos::io
