// SPDX-License-Identifier: Apache-2.0
#include "source_grid.hpp"

#include <askos/base/error.hpp>

#include <algorithm>

namespace askos::io {

SourceGrid read_grid(const NetcdfFile& file, const ImportAxes& axes) {
  const NetcdfVariable latitude = file.variable(axes.latitude);
  const NetcdfVariable longitude = file.variable(axes.longitude);
  SourceGrid grid;
  grid.latitudes = file.read_all(latitude);
  grid.longitudes = file.read_all(longitude);
  const std::size_t rank = latitude.dimensions.size();
  if (latitude.dimensions == longitude.dimensions && (rank == 1 || rank == 2)) {
    grid.dimensions = latitude.dimensions;
    return grid;
  }
  if (rank != 1 || longitude.dimensions.size() != 1) {
    throw Error(Errc::kShapeMismatch, "latitude and longitude do not span a grid")
        .with("file", file.path().string())
        .with("latitude_dimensions", rank)
        .with("longitude_dimensions", longitude.dimensions.size())
        .with("expected", "one of their own each, or the same one or two");
  }
  grid.dimensions = {latitude.dimensions[0], longitude.dimensions[0]};
  const std::vector<double> rows = std::move(grid.latitudes);
  const std::vector<double> columns = std::move(grid.longitudes);
  grid.latitudes.clear();
  grid.longitudes.clear();
  for (const double row : rows) {
    grid.latitudes.insert(grid.latitudes.end(), columns.size(), row);
    grid.longitudes.insert(grid.longitudes.end(), columns.begin(), columns.end());
  }
  return grid;
}

SourceTime read_time(const NetcdfFile& file, const ImportRecipe& recipe, std::int64_t length) {
  SourceTime time;
  if (recipe.time.origin.has_value() != recipe.time.step.has_value()) {
    throw Error(Errc::kInvalidInput, "recipe gives only one of time.origin and time.step");
  }
  if (recipe.time.origin) {
    time.first = *recipe.time.origin;
    time.step = *recipe.time.step;
    for (std::int64_t i = 0; i < length; ++i) {
      time.positions.push_back(i);
    }
    return time;
  }
  const NetcdfVariable axis = file.variable(recipe.axes.time);
  const std::vector<Time> times =
      decode_times(file.read_all(axis), file.text_attribute(axis, "units").value_or(""),
                   file.text_attribute(axis, "calendar").value_or(""));
  const auto refuse = [&](const char* text, std::size_t at) {
    throw Error(Errc::kInvalidInput, text)
        .with("file", file.path().string())
        .with("axis", recipe.axes.time)
        .with("at", format_time(times[at]));
  };
  if (static_cast<std::int64_t>(times.size()) != length || length < 2) {
    throw Error(Errc::kShapeMismatch, "time axis is too short, or has another length than the data")
        .with("file", file.path().string())
        .with("axis", recipe.axes.time)
        .with("found", times.size())
        .with("expected", length);
  }
  time.first = times.front();
  time.step = times[1] - times[0];
  for (std::size_t i = 1; i < times.size(); ++i) {
    time.step = std::min(time.step, times[i] - times[i - 1]);
  }
  if (time.step.count() <= 0) {
    refuse("time axis does not increase", 0);
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto since = times[i] - time.first;
    constexpr std::int64_t kMaxRowsPerTime = 100;  // a sparser axis is a wrong one
    if (since % time.step != std::chrono::seconds(0) ||
        since / time.step > kMaxRowsPerTime * length) {
      refuse("time axis is not regular; give origin and step in the recipe", i);
    }
    time.positions.resize(static_cast<std::size_t>(since / time.step), -1);
    time.positions.push_back(static_cast<std::int64_t>(i));
  }
  return time;
}

}  // namespace askos::io
