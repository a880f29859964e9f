// SPDX-License-Identifier: Apache-2.0
#include "run_config_file.hpp"

#include "field_visitor.hpp"
#include "toml_reading.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/fault.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <optional>
#include <type_traits>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using actors::RunConfig;

const std::string kFaults = "faults";

template <typename Enum>
struct EnumName {
  Enum value;
  const char* name;
};

constexpr std::array kGraphKinds{EnumName{actors::GraphKind::kRegional, "regional"},
                                 EnumName{actors::GraphKind::kGlobal, "global"},
                                 EnumName{actors::GraphKind::kStretched, "stretched"}};
constexpr std::array kVariableWeights{
    EnumName{actors::VariableWeights::kOne, "one"},
    EnumName{actors::VariableWeights::kTendencyVariance, "tendency-variance"},
    EnumName{actors::VariableWeights::kTendencyDeviation, "tendency-deviation"}};

constexpr std::array kDTypes{EnumName{DType::kFloat32, "float32"},
                             EnumName{DType::kFloat64, "float64"}};
constexpr std::array kPrecisions{EnumName{model::Precision::kModel, "none"},
                                 EnumName{model::Precision::kBFloat16, "bfloat16"},
                                 EnumName{model::Precision::kFloat16, "float16"}};
constexpr std::array kShardStrategies{EnumName{model::ShardStrategy::kEdges, "edges"},
                                      EnumName{model::ShardStrategy::kHeads, "heads"}};

constexpr std::array kMlpKinds{
    EnumName{model::MlpKind::kGelu, "gelu"}, EnumName{model::MlpKind::kGlu, "glu"},
    EnumName{model::MlpKind::kSwiglu, "swiglu"}, EnumName{model::MlpKind::kGeglu, "geglu"},
    EnumName{model::MlpKind::kReglu, "reglu"}};
// A truncated residual needs matrices that no built graph has, a spectral one a grid of rings.
constexpr std::array kResiduals{EnumName{model::Residual::kNone, "none"},
                                EnumName{model::Residual::kSkip, "skip"},
                                EnumName{model::Residual::kScalarOrnstein, "ornstein"}};
constexpr std::array kNoises{EnumName{model::NoiseConfig::Kind::kNone, "none"},
                             EnumName{model::NoiseConfig::Kind::kConditioning, "conditioning"},
                             EnumName{model::NoiseConfig::Kind::kInjection, "injection"}};
constexpr std::array kLosses{EnumName{model::ErrorKind::kSquared, "squared"},
                             EnumName{model::ErrorKind::kAbsolute, "absolute"},
                             EnumName{model::ErrorKind::kLogCosh, "log-cosh"},
                             EnumName{model::ErrorKind::kHuber, "huber"},
                             EnumName{model::ErrorKind::kCrps, "crps"}};

constexpr std::array kNanPolicies{EnumName{actors::NanPolicy::kStop, "stop"},
                                  EnumName{actors::NanPolicy::kSkip, "skip"},
                                  EnumName{actors::NanPolicy::kRollback, "rollback"}};

const auto& names_of(actors::NanPolicy) {
  return kNanPolicies;
}
const auto& names_of(model::MlpKind) {
  return kMlpKinds;
}
const auto& names_of(model::Residual) {
  return kResiduals;
}
const auto& names_of(model::NoiseConfig::Kind) {
  return kNoises;
}
const auto& names_of(model::ErrorKind) {
  return kLosses;
}
const auto& names_of(actors::GraphKind) {
  return kGraphKinds;
}
const auto& names_of(actors::VariableWeights) {
  return kVariableWeights;
}
const auto& names_of(DType) {
  return kDTypes;
}
const auto& names_of(model::Precision) {
  return kPrecisions;
}
const auto& names_of(model::ShardStrategy) {
  return kShardStrategies;
}

void read(const Place& place, Nanoseconds& target) {
  target = place.parsed(parse_duration, place.text("a duration such as '60 s'"));
}

void read(const Place& place, Bytes& target) {
  target = place.parsed(parse_bytes, place.text("an amount such as '512 MiB'"));
}

void read(const Place& place, comm::Range& target) {
  const auto& value = *place.value;
  if (!value.is_array() || value.size() != 2 || !value[0].is_integer() || !value[1].is_integer()) {
    throw place.fault("a half-open range [first, end]");
  }
  target = {value[0].as_integer(), value[1].as_integer()};
}

void read(const Place& place, actors::Region& target) {
  const auto fault = [&] { return place.fault("[south, north, west, east] in degrees"); };
  const auto& value = *place.value;
  if (!value.is_array() || value.size() != 4) throw fault();
  std::array<double, 4> degrees{};
  for (std::size_t i = 0; i < degrees.size(); ++i) {
    if (!value[i].is_integer() && !value[i].is_floating()) throw fault();
    degrees[i] =
        value[i].is_integer() ? static_cast<double>(value[i].as_integer()) : value[i].as_floating();
  }
  target = {degrees[0], degrees[1], degrees[2], degrees[3]};
}

template <typename Enum>
  requires std::is_enum_v<Enum>
void read(const Place& place, Enum& target) {
  std::string known;
  for (const auto& [value, name] : names_of(Enum{})) {
    known.append(known.empty() ? "" : " or ").append(name);
  }
  const auto text = place.text(known);
  for (const auto& [value, name] : names_of(Enum{})) {
    if (text == name) {
      target = value;
      return;
    }
  }
  throw place.fault(known);
}

void refuse_unknown_keys(const TomlValue& root, const std::vector<std::string>& known) {
  for (const auto& [section, table] : root.as_table()) {
    if (section == kFaults) continue;
    if (!table.is_table()) {
      refuse_key({&table, section}, known);
    }
    for (const auto& [key, value] : table.as_table()) {
      if (const auto name = section + "." + key; std::ranges::find(known, name) == known.end()) {
        refuse_key({&value, name}, known);
      }
    }
  }
}

dataflow::Argument read_argument(const Place& place) {
  const auto& value = *place.value;
  if (value.is_boolean()) return value.as_boolean();
  if (value.is_integer()) return value.as_integer();
  if (value.is_floating()) return value.as_floating();
  return place.text("flag, number or text");
}

/// Reads the tables `[[faults]]`.
std::vector<dataflow::Fault> read_faults(const TomlValue& root) {
  std::vector<dataflow::Fault> faults;
  if (!root.contains(kFaults)) return faults;
  const Place list{&root.at(kFaults), kFaults};
  if (!list.value->is_array()) throw list.fault("an array of tables");
  for (const auto& entry : list.value->as_array()) {
    const Place place{&entry, kFaults};
    if (!entry.is_table()) throw place.fault("a table");
    dataflow::Arguments entries;
    for (const auto& [key, value] : entry.as_table()) {
      entries[key] = read_argument({&value, place.key + "." + key});
    }
    faults.push_back(
        place.parsed([&](const std::string&) { return dataflow::make_fault(entries); }, ""));
  }
  return faults;
}

/// The file says heads, widths and mapper chunks once; encoder, processor and decoder share them.
void share_block_options(model::ModelConfig& model) {
  const model::BlockConfig processor = model.processor;
  const auto decoder_strategy = model.decoder.shard_strategy;
  model.processor = model.encoder;
  model.decoder = model.encoder;
  model.processor.num_chunks = processor.num_chunks;
  model.processor.shard_strategy = processor.shard_strategy;
  model.decoder.shard_strategy = decoder_strategy;
  model.hidden_node_trainables = model.data_node_trainables;
}

/// Finds the entry of a key such as `training.steps` in the file or the settings.
std::optional<Place> find(const TomlValue& root,
                          const std::string& section,
                          const std::string& key) {
  if (!root.contains(section) || !root.at(section).contains(key)) {
    return std::nullopt;
  }
  return Place{&root.at(section).at(key), section + "." + key};
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
std::string write(Nanoseconds value) {
  return quoted(format_duration(value));
}
std::string write(Bytes value) {
  return quoted(std::to_string(value.value));
}
std::string write(const comm::Range& value) {
  return "[" + std::to_string(value.begin) + ", " + std::to_string(value.end) + "]";
}
std::string write(const actors::Region& value) {
  return "[" + write(value.south) + ", " + write(value.north) + ", " + write(value.west) + ", " +
         write(value.east) + "]";
}
template <typename Value>
std::string write(const std::map<std::string, Value>& value) {
  std::string text = "{";
  for (const auto& [key, entry] : value) {
    text.append(text.size() > 1 ? ", " : "").append(key).append(" = ").append(write(entry));
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

// -----------------------------------------------------------------------------------------------

/// Says of each value that `validate` refused where it stands and what it is.
Error locate(const Error& refusal, const RunConfig& config, const TomlValue& root) {
  std::vector<Error> faults;
  visit_fields(config, [&](const std::string& section, const std::string& key, const auto& value) {
    const Place place = find(root, section, key).value_or(Place{&root, section + "." + key});
    for (const auto& [refused, expected] : refusal.values()) {
      if (refused == place.key) {
        faults.push_back(place.locate(Error(refusal.code(), "wrong value"))
                             .with("expected", expected)
                             .with("found", write(value)));
      }
    }
  });
  if (faults.size() == 1) {
    return faults.front();
  }
  Error all(refusal.code(), "configuration makes no sense");
  for (const Error& fault : faults) {
    all.with("fault", fault.what());
  }
  return all;
}

RunConfig config_of(const TomlValue& root) {
  RunConfig config;
  std::vector<std::string> known;
  visit_fields(config, [&](const std::string& section, const std::string& key, auto&) {
    known.push_back(section + "." + key);
  });
  refuse_unknown_keys(root, known);
  visit_fields(config, [&](const std::string& section, const std::string& key, auto& target) {
    if (const auto place = find(root, section, key)) {
      read(*place, target);
    }
  });
  config.faults = read_faults(root);
  share_block_options(config.model);
  try {
    actors::validate(config);
  } catch (const Error& refusal) {
    throw locate(refusal, config, root);
  }
  return config;
}

}  // namespace

RunConfig load_run_config(const fs::path& file, const std::vector<std::string>& overrides) {
  return config_of(load_toml(file, overrides));
}

RunConfig parse_run_config(const std::string& text,
                           const std::string& origin,
                           const std::vector<std::string>& overrides) {
  return config_of(parse_toml(text, origin, overrides));
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
