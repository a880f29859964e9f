// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>
#include <askos/dataflow/stage.hpp>

#include <toml.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace askos::dataflow {

/// A TOML value that remembers where it stood; keys in alphabetical order.
using TomlValue = toml::basic_value<toml::discard_comments, std::map, std::vector>;

/// What the origin of values begins with that came from the command line.
inline constexpr std::string_view kSettingOrigin = "--set ";

/// Parses TOML. Throws `Errc::kInvalidInput` with the line of the fault; `origin` stands for the
/// file.
[[nodiscard]] TomlValue parse_toml(const std::string& text, const std::string& origin);

/// Prints `hello.toml:7`, or the setting that the value came from.
[[nodiscard]] std::string position_of(const TomlValue& value);

/// Returns nothing for arrays, tables and dates.
[[nodiscard]] std::optional<Argument> to_argument(const TomlValue& value);

/// Names the TOML type: `array`, `table`, `date`, ….
[[nodiscard]] std::string type_name(const TomlValue& value);

}  // namespace askos::dataflow
