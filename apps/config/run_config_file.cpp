// SPDX-License-Identifier: Apache-2.0
#include "run_config_file.hpp"

#include "field_visitor.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/nearest_name.hpp>

#include <toml.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <type_traits>
#include <utility>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using actors::RunConfig;

template <typename Enum>
struct EnumName {
  Enum value;
  const char* name;
};

constexpr std::array kGraphKinds{EnumName{actors::GraphKind::kRegional, "regional"},
                                 EnumName{actors::GraphKind::kGlobal, "global"}};
constexpr std::array kVariableWeights{
    EnumName{actors::VariableWeights::kOne, "one"},
    EnumName{actors::VariableWeights::kTendencyVariance, "tendency-variance"}};

const auto& names_of(actors::GraphKind) {
  return kGraphKinds;
}
const auto& names_of(actors::VariableWeights) {
  return kVariableWeights;
}

/// Where a value stands, for messages.
struct Place {
  const toml::value* value;
  std::string key;  ///< `training.steps`
  std::string file;

  [[nodiscard]] Error fault(const std::string& expected) const {
    std::ostringstream found;
    found << *value;
    return Error(Errc::kInvalidInput, "wrong value in configuration")
        .with("file", file)
        .with("line", value->location().line())
        .with("key", key)
        .with("expected", expected)
        .with("found", found.str());
  }
};

void read(const Place& place, bool& target) {
  if (!place.value->is_boolean()) {
    throw place.fault("true or false");
  }
  target = place.value->as_boolean();
}

template <std::integral Number>
void read(const Place& place, Number& target) {
  if (!place.value->is_integer() || !std::in_range<Number>(place.value->as_integer())) {
    throw place.fault("an integer");
  }
  target = static_cast<Number>(place.value->as_integer());
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

std::string read_text(const Place& place, const std::string& expected) {
  if (!place.value->is_string()) {
    throw place.fault(expected);
  }
  return place.value->as_string().str;
}

void read(const Place& place, std::string& target) {
  target = read_text(place, "a string");
}

void read(const Place& place, fs::path& target) {
  const fs::path path = read_text(place, "a path");
  target = path.is_absolute() ? path : fs::path(place.file).parent_path() / path;
}

void read(const Place& place, DType& target) {
  target = parse_dtype(read_text(place, "float32 or float64"));
}

void read(const Place& place, Nanoseconds& target) {
  target = parse_duration(read_text(place, "a duration such as '60 s'"));
}

void read(const Place& place, comm::Range& target) {
  const auto& value = *place.value;
  if (!value.is_array() || value.size() != 2 || !value[0].is_integer() || !value[1].is_integer()) {
    throw place.fault("a half-open range [first, end]");
  }
  target = {value[0].as_integer(), value[1].as_integer()};
}

void read(const Place& place, std::map<std::string, std::string>& target) {
  if (!place.value->is_table()) {
    throw place.fault("a table of strings");
  }
  for (const auto& [key, value] : place.value->as_table()) {
    read(Place{&value, place.key + "." + key, place.file}, target[key]);
  }
}

template <typename Enum>
  requires std::is_enum_v<Enum>
void read(const Place& place, Enum& target) {
  std::string known;
  for (const auto& [value, name] : names_of(Enum{})) {
    known.append(known.empty() ? "" : " or ").append(name);
  }
  const auto text = read_text(place, known);
  for (const auto& [value, name] : names_of(Enum{})) {
    if (text == name) {
      target = value;
      return;
    }
  }
  throw place.fault(known);
}

toml::value parse(std::istream& text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::exception& fault) {
    throw Error(Errc::kInvalidInput, "not TOML")
        .with("file", name)
        .with("line", fault.location().line());
  }
}

/// Reads the right side of `key=value` as TOML; a word without quotes is a string.
toml::value parse_override(const std::string& text) {
  try {
    std::istringstream line("value = " + text + "\n");
    return toml::parse(line, "--set").at("value");
  } catch (const std::exception&) {
    return text;
  }
}

void lay_over(toml::value& root, const std::string& override_text) {
  const auto equals = override_text.find('=');
  const auto dot = override_text.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot > equals) {
    throw Error(Errc::kUsage, "an override is written section.key=value")
        .with("found", override_text);
  }
  auto& table = root.as_table();
  auto& section = table.try_emplace(override_text.substr(0, dot), toml::table{}).first->second;
  section.as_table()[override_text.substr(dot + 1, equals - dot - 1)] =
      parse_override(override_text.substr(equals + 1));
}

[[noreturn]] void refuse_key(const std::string& file,
                             const toml::value& value,
                             const std::string& key,
                             const std::vector<std::string>& known) {
  Error error(Errc::kUsage, "unknown key in configuration");
  error.with("file", file).with("line", value.location().line()).with("key", key);
  dataflow::suggest(error, key, known);
  throw error;
}

void refuse_unknown_keys(const toml::value& root,
                         const std::string& file,
                         const std::vector<std::string>& known) {
  for (const auto& [section, table] : root.as_table()) {
    if (!table.is_table()) {
      refuse_key(file, table, section, known);
    }
    for (const auto& [key, value] : table.as_table()) {
      if (const auto name = section + "." + key; std::ranges::find(known, name) == known.end()) {
        refuse_key(file, value, name, known);
      }
    }
  }
}

/// The file says heads, widths and chunks once; encoder, processor and decoder share them.
void share_block_options(model::ModelConfig& model) {
  const int processor_chunks = model.processor.num_chunks;
  model.processor = model.encoder;
  model.decoder = model.encoder;
  model.processor.num_chunks = processor_chunks;
  model.hidden_node_trainables = model.data_node_trainables;
}

// --- writing -----------------------------------------------------------------------------------

std::string quoted(const std::string& text) {
  return toml::format(toml::value(text));
}

std::string write(bool value) {
  return value ? "true" : "false";
}
std::string write(std::integral auto value) {
  return std::to_string(value);
}
std::string write(double value) {
  std::array<char, 40> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  std::string digits(text.data(), end);
  return digits.find_first_of(".en") == std::string::npos ? digits + ".0" : digits;
}
std::string write(const std::string& value) {
  return quoted(value);
}
std::string write(const fs::path& value) {
  return quoted(fs::absolute(value).lexically_normal());
}
std::string write(DType value) {
  return quoted(std::string(to_string(value)));
}
std::string write(Nanoseconds value) {
  return quoted(format_duration(value));
}
std::string write(const comm::Range& value) {
  return "[" + std::to_string(value.begin) + ", " + std::to_string(value.end) + "]";
}
std::string write(const std::map<std::string, std::string>& value) {
  std::string text = "{";
  for (const auto& [key, entry] : value) {
    text.append(text.size() > 1 ? ", " : "").append(key).append(" = ").append(quoted(entry));
  }
  return text + "}";
}
template <typename Enum>
  requires std::is_enum_v<Enum>
std::string write(Enum value) {
  for (const auto& [known, name] : names_of(Enum{})) {
    if (known == value) {
      return quoted(name);
    }
  }
  return {};
}

}  // namespace

RunConfig load_run_config(const fs::path& file, const std::vector<std::string>& overrides) {
  std::ifstream text(file, std::ios::binary);
  if (!text) {
    throw Error(Errc::kNotFound, "cannot open configuration").with("file", file.string());
  }
  toml::value root = parse(text, file.string());
  for (const auto& one : overrides) {
    lay_over(root, one);
  }

  RunConfig config;
  std::vector<std::string> known;
  visit_fields(config, [&](const std::string& section, const std::string& key, auto&) {
    known.push_back(section + "." + key);
  });
  refuse_unknown_keys(root, file.string(), known);
  visit_fields(config, [&](const std::string& section, const std::string& key, auto& target) {
    if (root.contains(section) && root.at(section).contains(key)) {
      read(Place{&root.at(section).at(key), section + "." + key, file.string()}, target);
    }
  });
  share_block_options(config.model);
  actors::validate(config);
  return config;
}

std::string to_toml(const RunConfig& config) {
  std::string text;
  std::string open_section;
  visit_fields(config, [&](const std::string& section, const std::string& key, const auto& value) {
    if (section != open_section) {
      text += (text.empty() ? "[" : "\n[") + section + "]\n";
      open_section = section;
    }
    text += key + " = " + write(value) + "\n";
  });
  return text;
}

}  // namespace askos::apps
