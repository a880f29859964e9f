// SPDX-License-Identifier: Apache-2.0
#include "toml_reading.hpp"

#include <askos/base/nearest_name.hpp>

#include <fstream>
#include <sstream>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;

/// What the origin of a value is called that came from the command line.
const std::string kSetting = "--set";

/// Keeps the sentence of a toml11 message and leaves out its prefix and its excerpt.
std::string reason_of(const std::string& message) {
  const std::string line = message.substr(0, message.find('\n'));
  const auto colon = line.find(": ");
  return colon == std::string::npos ? line : line.substr(colon + 2);
}

TomlValue parse(const std::string& text, const std::string& origin) {
  std::istringstream stream(text);
  try {
    return toml::parse<toml::discard_comments, std::map, std::vector>(stream, origin);
  } catch (const toml::exception& fault) {
    throw Error(Errc::kInvalidInput, "not a TOML file")
        .with("file", origin)
        .with("line", fault.location().line())
        .with("reason", reason_of(fault.what()));
  } catch (const std::exception& fault) {  // some syntax errors leave toml11 as plain exceptions
    throw Error(Errc::kInvalidInput, "not a TOML file")
        .with("file", origin)
        .with("reason", reason_of(fault.what()));
  }
}

TomlValue parse_setting(const std::string& text) {
  const auto parse_value = [](const std::string& value) {
    return parse("value = " + value + "\n", kSetting).as_table().at("value");
  };
  try {
    return parse_value(text);
  } catch (const Error&) {  // not TOML: taken as it stands
    return parse_value(toml::format(toml::value(text)));
  }
}

void lay_over(TomlValue& root, const std::string& setting) {
  const auto equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(Errc::kUsage, "setting is not of the form key=value").with("found", setting);
  }
  std::string key = setting.substr(0, equals);
  TomlValue* table = &root;
  for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.')) {
    table = &table->as_table().try_emplace(key.substr(0, dot), parse_setting("{}")).first->second;
    key.erase(0, dot + 1);
    if (!table->is_table()) {
      throw Error(Errc::kUsage, "setting goes through something that is not a table")
          .with("found", setting);
    }
  }
  table->as_table()[key] = parse_setting(setting.substr(equals + 1));
}

std::string describe(const TomlValue& value) {
  if (value.is_table()) {
    return "a table";
  }
  if (value.is_array()) {
    return "an array of " + std::to_string(value.size());
  }
  std::ostringstream text;
  text << value;
  return text.str();
}

}  // namespace

TomlValue load_toml(const fs::path& file, const std::vector<std::string>& settings) {
  const std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  if (fs::is_directory(file) || !stream) {
    throw Error(Errc::kNotFound, "cannot read file").with("file", file.string());
  }
  text << stream.rdbuf();
  return parse_toml(text.str(), file.string(), settings);
}

TomlValue parse_toml(const std::string& text,
                     const std::string& origin,
                     const std::vector<std::string>& settings) {
  TomlValue root = parse(text, origin);
  for (const auto& setting : settings) {
    lay_over(root, setting);
  }
  return root;
}

Error Place::locate(Error error) const {
  const auto location = value->location();
  error.with("file", location.file_name());
  if (location.file_name() != kSetting) {
    error.with("line", location.line());
  }
  return error.with("key", key);
}

Error Place::fault(const std::string& expected) const {
  return locate(Error(Errc::kInvalidInput, "wrong value"))
      .with("expected", expected)
      .with("found", describe(*value));
}

std::string Place::text(const std::string& expected) const {
  if (!value->is_string()) {
    throw fault(expected);
  }
  return value->as_string().str;
}

void refuse_key(const Place& place, const std::vector<std::string>& known) {
  Error error = place.locate(Error(Errc::kUsage, "unknown key"));
  suggest(error, place.key, known);
  throw error;
}

void read(const Place& place, bool& target) {
  if (!place.value->is_boolean()) {
    throw place.fault("true or false");
  }
  target = place.value->as_boolean();
}

void read(const Place& place, double& target) {
  if (place.value->is_integer()) {
    target = static_cast<double>(place.value->as_integer());
  } else if (place.value->is_floating()) {
    target = place.value->as_floating();
  } else {
    throw place.fault("a number");
  }
}

void read(const Place& place, std::string& target) {
  target = place.text("a string");
}

void read(const Place& place, fs::path& target) {
  const fs::path path = place.text("a path");
  const std::string origin = place.value->location().file_name();
  target = origin == kSetting ? path : fs::path(origin).parent_path() / path;
}

}  // namespace askos::apps
