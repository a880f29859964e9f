// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/import.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace askos::apps {

/// Reads a recipe (TOML) and lays `settings`, each `key=value`, over it. Its keys are the members
/// of `io::ImportRecipe`, with the tables `axes`, `time`, `mask`, `statistics` and one
/// `[[variables]]` each.
///
/// `folder` defaults to the recipe's own. Throws what `load_toml` throws, `Errc::kInvalidInput` on
/// a value of another type and on a key that is missing, and `Errc::kUsage`, naming the nearest
/// key, on an unknown one.
[[nodiscard]] io::ImportRecipe load_import_recipe(const std::filesystem::path& file,
                                                  const std::vector<std::string>& settings = {});

}  // namespace askos::apps
