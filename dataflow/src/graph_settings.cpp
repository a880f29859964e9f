// SPDX-License-Identifier: Apache-2.0
#include "graph_settings.hpp"

#include <askos/base/nearest_name.hpp>
#include <askos/dataflow/stage_catalog.hpp>

#include <array>
#include <string_view>
#include <utility>

namespace askos::dataflow {
namespace {

/// The keys of a stage itself; every other one is an argument of its type.
constexpr std::array<std::string_view, 5> kStageKeys{"name", "type", "on_failure", "max_restarts",
                                                     "record"};

TomlValue parse_value(const std::string& key, const std::string& text) {
  const std::string origin = std::string(kSettingOrigin) + key;
  const auto parse = [&](const std::string& value) {
    return parse_toml("value = " + value, origin).as_table().at("value");
  };
  try {
    return parse(text);
  } catch (const Error&) {  // not TOML: taken as it stands
    return parse(to_toml(Argument(text)));
  }
}

std::string text_at(const TomlValue& table, const char* key) {
  return table.is_table() && table.contains(key) && table.at(key).is_string()
             ? table.at(key).as_string().str
             : "";
}

std::string name_of_stage(const TomlValue& stage) {
  return text_at(stage, "name");
}

std::string name_of_edge(const TomlValue& edge) {
  return text_at(edge, "from") + ">" + text_at(edge, "to");
}

TomlValue& table_at(TomlValue& table, const std::string& key) {
  auto& entry = table.as_table()[key];
  if (!entry.is_table()) {
    entry = TomlValue(TomlValue::table_type{});
  }
  return entry;
}

/// Finds the entry of the array `list` that is called `name`.
TomlValue& find_entry(TomlValue& root,
                      const std::string& list,
                      const std::string& name,
                      std::string (*name_of)(const TomlValue&)) {
  std::vector<std::string> known;
  if (root.contains(list) && root.at(list).is_array()) {
    for (auto& entry : root.as_table().at(list).as_array()) {
      if (name_of(entry) == name) {
        return entry;
      }
      known.push_back(name_of(entry));
    }
  }
  Error error(Errc::kNotFound, "setting names nothing of the graph");
  error.with(list, name);
  suggest(error, name, known);
  throw error;
}

/// Splits `NAME.KEY` at its last dot; throws if one part is missing.
std::pair<std::string, std::string> split_key(const std::string& key, std::size_t dot) {
  if (dot == std::string::npos || dot == 0 || dot + 1 == key.size()) {
    throw Error(Errc::kUsage,
                "setting has an unknown form of key (write stages.NAME.KEY=VALUE, "
                "edges.FROM>TO.KEY=VALUE, limits.KEY=VALUE or graph=VALUE)")
        .with("key", key);
  }
  return {key.substr(0, dot), key.substr(dot + 1)};
}

}  // namespace

void apply_setting(TomlValue& root, const std::string& setting) {
  const auto equals = setting.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw Error(Errc::kUsage, "setting is not of the form key=value").with("found", setting);
  }
  const std::string key = setting.substr(0, equals);
  TomlValue value = parse_value(key, setting.substr(equals + 1));
  if (key == "graph") {
    root.as_table()[key] = std::move(value);
    return;
  }
  const auto [section, rest] = split_key(key, key.find('.'));
  if (section == "limits") {
    table_at(root, section).as_table()[rest] = std::move(value);
  } else if (section == "stages") {
    auto [name, field] = split_key(rest, rest.find('.'));
    TomlValue& stage = find_entry(root, section, name, name_of_stage);
    if (field.starts_with("args.")) {
      field.erase(0, std::string_view("args.").size());
    } else if (std::ranges::find(kStageKeys, field) != kStageKeys.end()) {
      stage.as_table()[field] = std::move(value);
      return;
    }
    table_at(stage, "args").as_table()[field] = std::move(value);
  } else if (section == "edges") {
    const auto [name, field] = split_key(rest, rest.rfind('.'));
    find_entry(root, section, name, name_of_edge).as_table()[field] = std::move(value);
  } else {
    (void)split_key(key, std::string::npos);
  }
}

}  // namespace askos::dataflow
