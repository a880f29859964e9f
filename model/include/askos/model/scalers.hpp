// SPDX-License-Identifier: Apache-2.0
// Weights of variables, nodes and steps in a loss, made from what is known of them. They become
// factors of the loss by `variable_weights`, `node_weights` and `time_weights`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace askos::model {

/// What a variable's name says: `z_500` is `z` on level 500; other names are a parameter's alone.
struct VariableName {
  std::string parameter;
  std::optional<double> level;  ///< hPa, or the number of a model level
};
[[nodiscard]] VariableName split_name(const std::string& name);

/// What weights add up to.
enum class WeightNorm {
  kNone,      ///< as they are
  kUnitSum,   ///< 1
  kUnitMean,  ///< their number
};
/// Throws `Errc::kInvalidInput` if they add up to 0.
[[nodiscard]] std::vector<double> normalised(std::vector<double> weights, WeightNorm norm);

/// Returns the weight of each variable's parameter; one that is not listed gets `otherwise`. Throws
/// `Errc::kInvalidInput` if a variable on a level is also listed by its whole name.
[[nodiscard]] std::vector<double> parameter_weights(const std::vector<std::string>& variables,
                                                    const std::map<std::string, double>& weights,
                                                    double otherwise = 1);

/// Returns 0 for variables whose parameter is listed and 1 for others; the other way round if
/// `only`.
[[nodiscard]] std::vector<double> parameter_mask(const std::vector<std::string>& variables,
                                                 const std::vector<std::string>& parameters,
                                                 bool only = false);

/// Weighs levels by their height.
struct LevelWeights {
  enum class Shape {
    kLinear,      ///< slope * level + intercept
    kRelu,        ///< the larger one of slope * level and intercept
    kPolynomial,  ///< (slope * level)^2 + intercept
  };
  Shape shape = Shape::kRelu;
  double slope = 0.001;  ///< per unit of the level
  double intercept = 0.2;
  std::vector<std::string> parameters = {};  ///< those that are weighed
};
/// Returns one weight per variable, 1 for parameters that are not weighed. Throws
/// `Errc::kInvalidInput` for a weighed one without a level.
[[nodiscard]] std::vector<double> level_weights(const std::vector<std::string>& variables,
                                                const LevelWeights& levels);

/// Weighs output steps by their lead time.
struct LeadTimeDecay {
  enum class Shape {
    kLinear,       ///< 1 - factor * t, t = lead time / longest
    kExponential,  ///< exp(-factor * t)
  };
  Shape shape = Shape::kLinear;
  double factor = 1;
  double longest = 1;   ///< lead time, in the unit of the others
  bool rising = false;  ///< 1 minus the above
};
/// Returns weights that add up to 1. Throws `Errc::kInvalidInput` if they cannot.
[[nodiscard]] std::vector<double> lead_time_weights(const std::vector<double>& lead_times,
                                                    const LeadTimeDecay& decay);

/// Gives all nodes of `mask` one weight, such that together they have `share` of the sum: of a
/// region in a stretched or a nested grid. Throws `Errc::kInvalidInput` unless 0 <= share < 1 and
/// some node is in the mask.
[[nodiscard]] std::vector<double> reweighted(std::vector<double> weights,
                                             const std::vector<bool>& mask,
                                             double share);

/// Returns deviation / deviation of the tendency over one step, or its square; of variables that
/// are not prognostic 1. Throws `Errc::kInvalidInput` for a prognostic one that never changes.
[[nodiscard]] std::vector<double> tendency_weights(const std::vector<double>& deviations,
                                                   const std::vector<double>& tendency_deviations,
                                                   const std::vector<bool>& prognostic,
                                                   bool squared);

}  // namespace askos::model
