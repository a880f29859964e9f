// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace askos::io {

/// Returns the candidate that needs the fewest single-letter edits to become `name`; empty if there
/// is none.
[[nodiscard]] std::string nearest_name(std::string_view name,
                                       std::span<const std::string> candidates);

}  // namespace askos::io
