// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace askos::apps {

/// How a piece of a line looks; what it means is in its text as well, for terminals without colour.
enum class Style {
  kPlain,
  kQuiet,
  kStrong,
  kTitle,  ///< the first line
  kRoot,   ///< names the root cause
  kStrip,  ///< letters of states, each in its state's colour
};

struct Span {
  Style style = Style::kPlain;
  std::string text;
};
using Line = std::vector<Span>;

/// Lays out an inspector's `top` (asked with strips) for a screen of `width` columns: a title,
/// stages by rank with the strip of their last 10 s, edges with a gauge, and why they wait.
[[nodiscard]] std::vector<Line> lay_out_top(const nlohmann::ordered_json& top, int width);

/// Returns how many letters a strip gets on a screen of `width` columns.
[[nodiscard]] int strip_columns(int width) noexcept;

}  // namespace askos::apps
