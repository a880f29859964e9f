// SPDX-License-Identifier: Apache-2.0
// Strict reading of TOML files: each value knows where it stands, so that a fault can name file,
// line and key.
#pragma once

#include <askos/base/error.hpp>

#include <toml.hpp>

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace askos::apps {

/// A TOML value that remembers where it stood; keys in alphabetical order.
using TomlValue = toml::basic_value<toml::discard_comments, std::map, std::vector>;

/// Reads a TOML file and lays `settings`, each `key=value` with dots between the tables, over it; a
/// word without quotes is a string. Throws `Errc::kNotFound` if the file cannot be read,
/// `kInvalidInput` with the line if it is not TOML, `kUsage` if a setting makes no sense.
[[nodiscard]] TomlValue load_toml(const std::filesystem::path& file,
                                  const std::vector<std::string>& settings);

/// As above, from text; `origin` stands for the file.
[[nodiscard]] TomlValue parse_toml(const std::string& text,
                                   const std::string& origin,
                                   const std::vector<std::string>& settings);

/// A value that is about to be read, and its full key (`training.steps`).
struct Place {
  const TomlValue* value;
  std::string key;

  /// Adds where the value stands to an error: file (or `--set`), line and key.
  [[nodiscard]] Error locate(Error error) const;
  /// Returns the error for a value of another type or range than expected.
  [[nodiscard]] Error fault(const std::string& expected) const;
  /// Returns the value if it is a string, else throws `fault(expected)`.
  [[nodiscard]] std::string text(const std::string& expected) const;
  /// Returns `parse(found)`; what it throws says where the value stands.
  template <typename Parse>
  [[nodiscard]] auto parsed(Parse parse, const std::string& found) const {
    try {
      return parse(found);
    } catch (const Error& error) {
      throw locate(error);
    }
  }
};

/// Throws `Errc::kUsage` about a key that is not one of `known`, with the nearest of them.
[[noreturn]] void refuse_key(const Place& place, const std::vector<std::string>& known);

/// Each `read` takes a value of exactly its type and throws `Place::fault` on another one.
void read(const Place& place, bool& target);
/// An integer will do.
void read(const Place& place, double& target);
void read(const Place& place, std::string& target);
/// A relative path in a file is relative to the file's folder, one in a setting to the working
/// folder.
void read(const Place& place, std::filesystem::path& target);

template <std::integral Number>
void read(const Place& place, Number& target) {
  if (!place.value->is_integer() || !std::in_range<Number>(place.value->as_integer())) {
    throw place.fault("an integer");
  }
  target = static_cast<Number>(place.value->as_integer());
}

template <typename Value>
void read(const Place& place, std::optional<Value>& target) {
  read(place, target.emplace());
}

template <typename Value>
void read(const Place& place, std::map<std::string, Value>& target) {
  if (!place.value->is_table()) {
    throw place.fault("a table");
  }
  for (const auto& [key, value] : place.value->as_table()) {
    read(Place{&value, place.key + "." + key}, target[key]);
  }
}

}  // namespace askos::apps
