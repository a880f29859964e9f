// SPDX-License-Identifier: Apache-2.0
#include "parity/preprocessing_case.hpp"

#include "parity/json_object.hpp"
#include "parity/ranks.hpp"
#include "parity/tensor_file.hpp"
#include "parity/training_case.hpp"

#include <askos/base/error.hpp>
#include <askos/model/preprocessing.hpp>

#include <ATen/ATen.h>

#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>

namespace askos::apps {
namespace {

using model::Filling;
using model::ImputerConfig;
using model::Mapping;
using model::NormaliserConfig;
using model::RemapperConfig;
using model::VariableSet;
using Method = NormaliserConfig::Method;

constexpr std::array<std::pair<const char*, Method>, 5> kMethods = {{
    {"none", Method::kNone},
    {"mean-std", Method::kMeanStd},
    {"std", Method::kStd},
    {"min-max", Method::kMinMax},
    {"max", Method::kMax},
}};

Method read_method(const JsonObject& config, const std::string& key, const std::string& text) {
  for (const auto& [name, method] : kMethods) {
    if (text == name) return method;
  }
  config.refuse_value(key, "none, mean-std, std, min-max or max");
}

/// `{"default": method, method: [variables], "remap": {variable: source}}`
NormaliserConfig read_normaliser(const JsonObject& json, const std::string& name) {
  NormaliserConfig config;
  config.name = name;
  config.method = read_method(json, "default", json.get<std::string>("default", "none"));
  for (const auto& [key, method] : kMethods) {
    for (const auto& variable : json.get<std::vector<std::string>>(key, {})) {
      config.methods[variable] = method;
    }
  }
  config.remap = json.get<std::map<std::string, std::string>>("remap", {});
  json.refuse_unread();
  return config;
}

Filling read_filling(const JsonObject& json, const std::string& kind, const std::string& key) {
  if (kind == "CopyImputer") return {.kind = Filling::Kind::kCopy, .from = key};
  if (kind == "ConstantImputer") {
    Filling filling;
    const auto [end, fault] = std::from_chars(key.data(), key.data() + key.size(), filling.value);
    if (fault != std::errc{} || end != key.data() + key.size()) {
      json.refuse_value(key, "a number as key");
    }
    return filling;
  }
  if (key == "mean") return {.kind = Filling::Kind::kMean};
  if (key == "minimum") return {.kind = Filling::Kind::kMinimum};
  if (key == "maximum") return {.kind = Filling::Kind::kMaximum};
  if (key == "stdev") return {.kind = Filling::Kind::kStdev};
  json.refuse_value(key, "mean, minimum, maximum or stdev as key");
}

ImputerConfig read_imputer(const nlohmann::json& value,
                           const JsonObject& json,
                           const std::string& kind) {
  ImputerConfig config;
  for (const auto& [key, entry] : value.items()) {
    if (key == "default") continue;
    for (const auto& variable : json.get<std::vector<std::string>>(key)) {
      config.fillings[variable] = read_filling(json, kind, key);
    }
  }
  return config;
}

constexpr std::array<std::pair<const char*, Mapping::Kind>, 9> kMappings = {{
    {"none", Mapping::Kind::kNone},
    {"log1p", Mapping::Kind::kLog1p},
    {"sqrt", Mapping::Kind::kSqrt},
    {"boxcox", Mapping::Kind::kBoxCox},
    {"power", Mapping::Kind::kPower},
    {"atanh", Mapping::Kind::kAtanh},
    {"asinh", Mapping::Kind::kAsinh},
    {"affine", Mapping::Kind::kAffine},
    {"displace_boundary_atoms", Mapping::Kind::kDisplaceAtoms},
}};

std::optional<Mapping::Atom> read_atom(const JsonObject& options, const std::string& side) {
  if (!options.has(side + "_atom") || options.at(side + "_atom").is_null()) {
    (void)options.has(side + "_target");
    return std::nullopt;
  }
  return Mapping::Atom{options.get<double>(side + "_atom"), options.get<double>(side + "_target")};
}

/// `options` are the mapping's own, by the reference's names; each kind has its defaults.
Mapping read_mapping(const JsonObject& options, Mapping::Kind kind) {
  Mapping mapping{.kind = kind};
  mapping.exponent =
      options.get<double>("lambd", kind == Mapping::Kind::kPower ? 0.33 : mapping.exponent);
  mapping.clip_negative = options.get<bool>("clip_negative", false);
  mapping.linear_above_one = options.get<bool>("tangent_linear_above_one", false);
  mapping.rho = options.get<double>("rho", mapping.rho);
  mapping.scale =
      kind == Mapping::Kind::kAsinh ? options.get<double>("c", 1) : options.get<double>("scale", 1);
  mapping.shift = options.get<double>("shift", 0);
  mapping.lower = read_atom(options, "lower");
  mapping.upper = read_atom(options, "upper");
  mapping.tolerance = options.get<double>("eps", 0);
  options.refuse_unread();
  return mapping;
}

/// `{"default": "none", method: [variables], "method_kwargs": {method: options}}`
RemapperConfig read_remapper(const JsonObject& json) {
  RemapperConfig config;
  if (json.get<std::string>("default", "none") != "none") json.refuse_value("default", "none");
  const nlohmann::json none = nlohmann::json::object();
  const bool has_options = json.has("method_kwargs");
  for (const auto& [name, kind] : kMappings) {
    const auto variables = json.get<std::vector<std::string>>(name, {});
    if (variables.empty()) continue;
    const bool own = has_options && json.at("method_kwargs").contains(name);
    const JsonObject options(own ? json.at("method_kwargs").at(name) : none,
                             std::string("method_kwargs.") + name + ".");
    const Mapping mapping = read_mapping(options, kind);
    for (const auto& variable : variables) config.mappings[variable] = mapping;
  }
  json.refuse_unread();
  return config;
}

model::Preprocessing::Step read_step(const JsonObject& json) {
  const auto kind = json.get<std::string>("class");
  const JsonObject config = json.object("config");
  if (kind == "Remapper") return read_remapper(config);
  if (kind == "InputNormalizer") return read_normaliser(config, json.get<std::string>("name"));
  if (kind == "InputImputer" || kind == "ConstantImputer" || kind == "CopyImputer") {
    return read_imputer(json.at("config"), config, kind);
  }
  json.refuse_value("class",
                    "InputNormalizer, Remapper, InputImputer, ConstantImputer or CopyImputer");
}

model::Statistics read_statistics(const TensorFile& file) {
  const auto read = [&](const char* name) {
    return doubles(file.at(std::string("statistics.") + name, 1));
  };
  return {.minimum = read("minimum"),
          .maximum = read("maximum"),
          .mean = read("mean"),
          .stdev = read("stdev")};
}

/// Compares tensors in which values may be missing: in the same places, the others in `tolerance`
/// of the largest.
std::vector<Comparison> compare_fields(const std::string& name,
                                       const at::Tensor& ours,
                                       const at::Tensor& reference,
                                       double tolerance) {
  const at::Tensor values = at::nan_to_num(reference);
  return {compare(name + " (missing)", ours.isnan().to(at::kDouble),
                  reference.isnan().to(at::kDouble), 0),
          compare(name, at::nan_to_num(ours), values, tolerance * max_abs(values))};
}

/// Compares the state that the reference stored under `state.`.
std::vector<Comparison> compare_state(const model::Preprocessing& preprocessing,
                                      const std::string& dataset,
                                      const TensorFile& file) {
  std::vector<Comparison> rows;
  const auto state = preprocessing.state(dataset);
  for (const auto& [name, stored] : file.all()) {
    if (!name.starts_with("state.")) continue;
    const auto found = state.find(name.substr(6));
    if (found == state.end()) {
      throw Error(Errc::kInvalidInput, "state of the preprocessing lacks a tensor")
          .with("tensor", name);
    }
    // Our statistics are divided in float64, then rounded: one unit of float32.
    rows.push_back(compare(name, found->second, stored, 1.2e-7 * max_abs(stored)));
  }
  return rows;
}

/// Fields [batch, time, 1, grid, variable] without the ensemble axis.
at::Tensor fields(const TensorFile& file, const std::string& name) {
  return file.at(name, 5).select(2, 0);
}

void append(std::vector<Comparison>& rows, std::vector<Comparison> more) {
  rows.insert(rows.end(), std::make_move_iterator(more.begin()),
              std::make_move_iterator(more.end()));
}

}  // namespace

std::vector<Comparison> run_preprocessing_case(const std::filesystem::path& folder) {
  const auto value = read_json(folder / "preprocessing.json");
  const JsonObject json(value, (folder / "preprocessing.json").string() + ": ");
  const TensorFile io(folder / "io.safetensors");
  const JsonObject names = json.object("variables");
  const model::Variables variables = {
      .input = names.get<std::vector<std::string>>("input_order"),
      .output = names.get<std::vector<std::string>>("output_order")};
  const auto dataset = json.get<std::string>("dataset_name", "data");
  const double tolerance = json.object("tolerance").get<double>("relative");

  std::vector<model::Preprocessing::Step> steps;
  std::vector<model::Preprocessing::Step> forecast_steps;  // without copying, see the README
  const auto& list = json.at("steps");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonObject step(list[i], "preprocessing.json: steps[" + std::to_string(i) + "].");
    steps.push_back(read_step(step));
    if (step.get<std::string>("class") != "CopyImputer") forecast_steps.push_back(steps.back());
  }
  std::vector<Comparison> rows;
  const auto run = [&](const std::string& name, const auto& of, VariableSet set) {
    const model::Preprocessing preprocessing(names.get<std::vector<std::string>>("dataset_order"),
                                             variables, read_statistics(io), of);
    const auto processed = preprocessing.apply(fields(io, name + ".raw"), set);
    append(rows, compare_fields(name + ".x", processed.x, fields(io, name + ".x"), tolerance));
    append(rows, compare_fields(name + ".y_raw",
                                preprocessing.undo(fields(io, name + ".y"), processed.missing, set),
                                fields(io, name + ".y_raw"), tolerance));
    if (set == VariableSet::kAll) {
      rows.push_back(compare(name + ".loss_mask",
                             preprocessing.loss_mask(processed.missing, set).squeeze(1),
                             io.at(name + ".loss_mask", 3), 0));
      append(rows, compare_state(preprocessing, dataset, io));
    }
  };
  run("training", steps, VariableSet::kAll);
  run("forecast", forecast_steps, VariableSet::kInput);
  return rows;
}

void run_prediction(const ModelCase& model,
                    const std::filesystem::path& folder,
                    const JsonObject& json,
                    const ParityOptions& options,
                    std::vector<Comparison>& rows) {
  json.ignore({"raw", "prediction", "model_prefix_in_interface_state", "other_state_names"});
  const TensorFile file(folder / "predict.safetensors");
  const JsonObject description(model.json, (model.folder / "model.json").string() + ": ");
  const model::Preprocessing preprocessing(
      description.object("variables").get<std::vector<std::string>>("dataset_order"),
      model.config.variables, read_statistics(file),
      {read_normaliser(json.object("normalizer"), "normalizer")});
  json.refuse_unread();
  append(rows, compare_state(preprocessing, model.config.data_name, file));

  const bool float64 = options.dtype == DType::kFloat64;
  const at::Tensor raw = file.at("raw", 4).to(float64 ? at::kDouble : at::kFloat);
  const auto config = with_layout(model.config, make_layout(model, options));
  const auto found = collect_from_ranks(options.ranks, [&](comm::Communicator& ranks) {
    model::Network network(config, model.graph, ranks,
                           {.float64 = float64, .device = options.device});
    network.parameters().load(model.weights);
    const comm::Range own = network.own_data();
    return model::NamedTensors{
        {"prediction", model::predict_physical(network, preprocessing,
                                               raw.narrow(2, own.begin, own.size()).contiguous())
                           .cpu()}};
  });
  const at::Tensor prediction = joined(found, "prediction");
  const at::Tensor stored = fields(file, "prediction");
  const at::Tensor factors =
      preprocessing.state(model.config.data_name)
          .at("post_processors." + model.config.data_name + ".processors.normalizer._norm_mul");
  const double tolerance = description.object("tolerance").get<double>("y_max_abs");
  const auto outputs =
      description.object("variables").get<std::vector<std::int64_t>>("data_output_full");
  for (std::size_t v = 0; v < outputs.size(); ++v) {
    const auto column = static_cast<std::int64_t>(v);
    const at::Tensor reference = stored.select(3, column);
    // In units of the normalised output, plus what float32 keeps of the stored physical value.
    const double rounding = std::numeric_limits<float>::epsilon() * max_abs(reference);
    const double factor = std::abs(factors[outputs[v]].item<double>());
    rows.push_back(compare("predict." + model.config.variables.output.at(v),
                           prediction.select(3, column), reference, tolerance / factor + rounding));
  }
}

}  // namespace askos::apps
