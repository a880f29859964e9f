// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace askos {

/// Returns the candidate that takes the fewest edits (insert, delete, replace, swap two
/// neighbours) to become `name`, or an empty string when every one of them is a different word.
[[nodiscard]] std::string nearest_name(std::string_view name,
                                       const std::vector<std::string>& candidates);

/// Adds what the user may have meant to an error about an unknown `name`: `nearest=…`, or
/// `known="a, b, c"` when nothing is near.
void suggest(Error& error, std::string_view name, const std::vector<std::string>& candidates);

/// Prints `a, b, c`.
[[nodiscard]] std::string list_names(const std::vector<std::string>& names);

}  // namespace askos
