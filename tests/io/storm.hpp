// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/import.hpp>

#include <string>

namespace askos::io {

inline const std::filesystem::path kStormFolder = "/usr/share/ncarg/data/cdf";

/// The recipe of examples/storm/import.toml.
inline ImportRecipe storm_recipe() {
  ImportRecipe recipe;
  recipe.title = "storm";
  recipe.folder = kStormFolder;
  recipe.axes = {"timestep", "lat", "lon"};
  recipe.time = {parse_time("1996-01-05"), parse_step("6h")};
  recipe.statistics_end = parse_time("1996-01-17");
  const auto add = [&](const char* name, const char* file, const char* source, const char* unit) {
    ImportVariable variable;
    variable.name = name;
    variable.file = std::string(file) + ".cdf";
    variable.source = source;
    variable.unit = unit;
    recipe.variables.push_back(variable);
  };
  add("p", "Pstorm", "p", "Pa");
  add("t", "Tstorm", "t", "K");
  add("u", "Ustorm", "u", "m s-1");
  add("v", "Vstorm", "v", "m s-1");
  add("u500", "U500storm", "u", "m s-1");
  add("v500", "V500storm", "v", "m s-1");
  return recipe;
}

}  // namespace askos::io
