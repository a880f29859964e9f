// SPDX-License-Identifier: Apache-2.0
#include "toml_tree.hpp"

#include <sstream>

namespace askos::dataflow {
namespace {

/// Keeps the sentence of a toml11 message and leaves out its prefix, its excerpt and its arrows.
std::string reason_of(const std::string& message) {
  std::string reason = message.substr(0, message.find('\n'));
  for (const std::string_view prefix : {"[error] ", "toml::"}) {
    if (reason.starts_with(prefix)) {
      reason.erase(0, prefix.size());
    }
  }
  reason.erase(reason.find_last_not_of(' ') + 1);
  const auto colon = reason.find(": ");
  return colon == std::string::npos ? reason : reason.substr(colon + 2);
}

}  // namespace

TomlValue parse_toml(const std::string& text, const std::string& origin) {
  const auto refuse = [&](const toml::exception& fault) {
    return Error(Errc::kInvalidInput, "not a TOML file")
        .with("at", origin + ":" + std::to_string(fault.location().line()))
        .with("reason", reason_of(fault.what()));
  };
  std::istringstream stream(text);
  try {
    return toml::parse<toml::discard_comments, std::map, std::vector>(stream, origin);
  } catch (const toml::exception& fault) {
    throw refuse(fault);
  } catch (const std::exception& fault) {  // some syntax errors leave toml11 as plain exceptions
    throw Error(Errc::kInvalidInput, "not a TOML file")
        .with("at", origin)
        .with("reason", reason_of(fault.what()));
  }
}

std::string position_of(const TomlValue& value) {
  const auto location = value.location();
  return location.file_name().starts_with(kSettingOrigin)
             ? location.file_name()
             : location.file_name() + ":" + std::to_string(location.line());
}

std::optional<Argument> to_argument(const TomlValue& value) {
  switch (value.type()) {
    case toml::value_t::boolean: return value.as_boolean();
    case toml::value_t::integer: return value.as_integer();
    case toml::value_t::floating: return value.as_floating();
    case toml::value_t::string: return value.as_string().str;
    default: return std::nullopt;
  }
}

std::string type_name(const TomlValue& value) {
  switch (value.type()) {
    case toml::value_t::boolean: return "flag";
    case toml::value_t::integer: return "integer";
    case toml::value_t::floating: return "number";
    case toml::value_t::string: return "text";
    case toml::value_t::array: return "array";
    case toml::value_t::table: return "table";
    case toml::value_t::empty: return "nothing";
    default: return "date or time";
  }
}

}  // namespace askos::dataflow
