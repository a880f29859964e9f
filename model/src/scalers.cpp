// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/model/scalers.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace askos::model {
namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

double weight_of_level(const LevelWeights& levels, double level) {
  const double rise = levels.slope * level;
  switch (levels.shape) {
    case LevelWeights::Shape::kLinear: return rise + levels.intercept;
    case LevelWeights::Shape::kRelu: return std::max(rise, levels.intercept);
    case LevelWeights::Shape::kPolynomial: return rise * rise + levels.intercept;
  }
  return 1;
}

}  // namespace

VariableName split_name(const std::string& name) {
  const auto at = name.rfind('_');
  if (at == std::string::npos || at + 1 == name.size() ||
      name.find_first_not_of("0123456789", at + 1) != std::string::npos) {
    return {name, std::nullopt};
  }
  return {name.substr(0, at), std::strtod(name.c_str() + at + 1, nullptr)};
}

std::vector<double> normalised(std::vector<double> weights, WeightNorm norm) {
  if (norm == WeightNorm::kNone) return weights;
  double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (norm == WeightNorm::kUnitMean) sum /= static_cast<double>(weights.size());
  if (sum == 0 || !std::isfinite(sum)) {
    throw Error(Errc::kInvalidInput, "weights cannot be normalised").with("sum", sum);
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

std::vector<double> parameter_weights(const std::vector<std::string>& variables,
                                      const std::map<std::string, double>& weights,
                                      double otherwise) {
  std::vector<double> found;
  for (const auto& variable : variables) {
    const VariableName name = split_name(variable);
    if (name.level && weights.contains(variable)) {
      throw Error(Errc::kInvalidInput, "a weight is for a parameter on all of its levels")
          .with("variable", variable)
          .with("parameter", name.parameter);
    }
    const auto entry = weights.find(name.parameter);
    found.push_back(entry == weights.end() ? otherwise : entry->second);
  }
  return found;
}

std::vector<double> parameter_mask(const std::vector<std::string>& variables,
                                   const std::vector<std::string>& parameters,
                                   bool only) {
  std::map<std::string, double> weights;
  for (const auto& parameter : parameters) weights[parameter] = only ? 1 : 0;
  return parameter_weights(variables, weights, only ? 0 : 1);
}

std::vector<double> level_weights(const std::vector<std::string>& variables,
                                  const LevelWeights& levels) {
  std::vector<double> weights;
  for (const auto& variable : variables) {
    const VariableName name = split_name(variable);
    if (!has(levels.parameters, name.parameter)) {
      weights.push_back(1);
      continue;
    }
    if (!name.level) {
      throw Error(Errc::kInvalidInput, "a variable without level cannot be weighed by it")
          .with("variable", variable);
    }
    weights.push_back(weight_of_level(levels, *name.level));
  }
  return weights;
}

std::vector<double> lead_time_weights(const std::vector<double>& lead_times,
                                      const LeadTimeDecay& decay) {
  std::vector<double> weights;
  for (const double lead_time : lead_times) {
    const double x = decay.factor * lead_time / decay.longest;
    const double weight = decay.shape == LeadTimeDecay::Shape::kLinear ? 1 - x : std::exp(-x);
    weights.push_back(decay.rising ? 1 - weight : weight);
  }
  return normalised(std::move(weights), WeightNorm::kUnitSum);
}

std::vector<double> reweighted(std::vector<double> weights,
                               const std::vector<bool>& mask,
                               double share) {
  ASKOS_CHECK(weights.size() == mask.size());
  const auto count = std::count(mask.begin(), mask.end(), true);
  if (count == 0 || !(share >= 0 && share < 1)) {
    throw Error(Errc::kInvalidInput, "a region needs nodes and a share of the weight below 1")
        .with("nodes", count)
        .with("share", share);
  }
  double others = 0;
  for (std::size_t i = 0; i < mask.size(); ++i) others += mask[i] ? 0 : weights[i];
  const double each = share / (1 - share) * others / static_cast<double>(count);
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i]) weights[i] = each;
  }
  return weights;
}

std::vector<double> tendency_weights(const std::vector<double>& deviations,
                                     const std::vector<double>& tendency_deviations,
                                     const std::vector<bool>& prognostic,
                                     bool squared) {
  ASKOS_CHECK(deviations.size() == prognostic.size() &&
              tendency_deviations.size() == prognostic.size());
  std::vector<double> weights;
  for (std::size_t v = 0; v < prognostic.size(); ++v) {
    if (!prognostic[v]) {
      weights.push_back(1);
      continue;
    }
    if (!(tendency_deviations[v] > 0)) {
      throw Error(Errc::kInvalidInput, "a variable that never changes cannot be weighed by change")
          .with("variable", v);
    }
    const double ratio = deviations[v] / tendency_deviations[v];
    weights.push_back(squared ? ratio * ratio : ratio);
  }
  return weights;
}

}  // namespace askos::model
