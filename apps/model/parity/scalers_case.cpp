// SPDX-License-Identifier: Apache-2.0
#include "parity/cases.hpp"
#include "parity/json_object.hpp"
#include "parity/tensor_file.hpp"

#include <askos/base/error.hpp>
#include <askos/model/scalers.hpp>

#include <ATen/ATen.h>

#include <algorithm>

namespace askos::apps {
namespace {

using Names = std::vector<std::string>;

/// What scalers are made from.
struct Known {
  const JsonObject& json;
  const TensorFile& io;
  Names variables;  ///< of the output
};

std::vector<bool> flags(const at::Tensor& mask) {
  const auto values = doubles(mask);
  std::vector<bool> flags;
  for (const double value : values) flags.push_back(value != 0);
  return flags;
}

std::vector<double> by_level(const Known& known,
                             const JsonObject& config,
                             model::LevelWeights::Shape shape) {
  const JsonObject groups = known.json.object("variable_groups");
  return model::level_weights(known.variables,
                              {.shape = shape,
                               .slope = config.get<double>("slope"),
                               .intercept = config.get<double>("y_intercept"),
                               .parameters = groups.get<Names>(config.get<std::string>("group"))});
}

std::vector<double> by_tendency(const Known& known, bool squared) {
  const auto prognostic = known.json.get<Names>("prognostic");
  std::vector<bool> is_prognostic;
  for (const auto& name : known.variables) {
    is_prognostic.push_back(std::ranges::find(prognostic, name) != prognostic.end());
  }
  return model::tendency_weights(doubles(known.io.at("stdev", 1)),
                                 doubles(known.io.at("tendency_stdev", 1)), is_prognostic, squared);
}

std::vector<double> by_lead_time(const JsonObject& config) {
  using Shape = model::LeadTimeDecay::Shape;
  return model::lead_time_weights(
      config.get<std::vector<double>>("output_lead_times"),
      {.shape = config.choose<Shape>(
           "decay_type", {{"linear", Shape::kLinear}, {"exponential", Shape::kExponential}}),
       .factor = config.get<double>("decay_factor"),
       .longest = config.get<double>("max_lead_time"),
       .rising = config.get<bool>("inverse", false)});
}

std::vector<double> of_nodes(const Known& known, const JsonObject& config) {
  return doubles(known.io.at(config.get<std::string>("nodes_attribute_name"), 1));
}

std::vector<double> weights(const Known& known,
                            const std::string& kind,
                            const JsonObject& json,
                            const JsonObject& config) {
  using Shape = model::LevelWeights::Shape;
  if (kind == "GeneralVariableLossScaler") {
    auto listed = config.get<std::map<std::string, double>>("weights");
    const auto otherwise = listed.contains("default") ? listed.at("default") : 1;
    listed.erase("default");
    return model::parameter_weights(known.variables, listed, otherwise);
  }
  if (kind == "VariableMaskingLossScaler") {
    return model::parameter_mask(known.variables, config.get<Names>("variables"),
                                 config.get<bool>("invert", false));
  }
  if (kind == "LinearVariableLevelScaler") return by_level(known, config, Shape::kLinear);
  if (kind == "ReluVariableLevelScaler") return by_level(known, config, Shape::kRelu);
  if (kind == "PolynomialVariableLevelScaler") return by_level(known, config, Shape::kPolynomial);
  if (kind == "NoVariableLevelScaler" || kind == "NoTendencyScaler") {
    config.ignore({"group"});
    return std::vector<double>(known.variables.size(), 1);
  }
  if (kind == "StdevTendencyScaler") return by_tendency(known, false);
  if (kind == "VarTendencyScaler") return by_tendency(known, true);
  if (kind == "TimeStepScaler") return config.get<std::vector<double>>("weights");
  if (kind == "LeadTimeDecayScaler") return by_lead_time(config);
  if (kind == "GraphNodeAttributeScaler") return of_nodes(known, config);
  if (kind == "ReweightedGraphNodeAttributeScaler") {
    return model::reweighted(
        of_nodes(known, config),
        flags(known.io.at(config.get<std::string>("scaling_mask_attribute_name"), 1)),
        config.get<double>("weight_frac_of_total"));
  }
  json.refuse_value("class", "a scaler of variables, levels, tendencies, steps or nodes");
}

}  // namespace

std::vector<Comparison> run_scalers_case(const std::filesystem::path& folder) {
  const auto value = read_json(folder / "scalers.json");
  const JsonObject json(value, (folder / "scalers.json").string() + ": ");
  const TensorFile io(folder / "io.safetensors");
  const Known known = {json, io, json.get<Names>("variables")};
  const double tolerance = json.object("tolerance").get<double>("relative");
  using Norm = model::WeightNorm;
  std::vector<Comparison> rows;
  for (const auto& entry : json.at("cases")) {
    const JsonObject scaler(entry, (folder / "scalers.json").string() + ": cases.");
    const JsonObject config = scaler.object("config");
    const auto id = scaler.get<std::string>("id");
    const auto norm = !config.has("norm") || config.at("norm").is_null()
                          ? Norm::kNone
                          : config.choose<Norm>("norm", {{"unit-sum", Norm::kUnitSum},
                                                         {"l1", Norm::kUnitSum},
                                                         {"unit-mean", Norm::kUnitMean}});
    const auto found =
        model::normalised(weights(known, scaler.get<std::string>("class"), scaler, config), norm);
    config.refuse_unread();
    scaler.refuse_unread();
    const at::Tensor& stored = io.at(id, 1);
    rows.push_back(
        compare(id, at::tensor(found, at::kDouble), stored, tolerance * max_abs(stored)));
  }
  return rows;
}

}  // namespace askos::apps
