// SPDX-License-Identifier: Apache-2.0
// From physical units to the model's and back. Everything is done value by value, so a shard of the
// grid is processed like the whole; nothing is remembered between calls.
#pragma once

#include <askos/model/network.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace askos::model {

/// Numbers about each variable of a dataset, in the dataset's order and in physical units.
struct Statistics {
  std::vector<double> minimum;
  std::vector<double> maximum;
  std::vector<double> mean;
  std::vector<double> stdev;
};

/// Says how variables are scaled: `y = x * factor + offset`.
struct NormaliserConfig {
  enum class Method : std::uint8_t {
    kNone,     ///< as it is
    kMeanStd,  ///< (x - mean) / stdev
    kStd,      ///< x / stdev
    kMinMax,   ///< (x - minimum) / (maximum - minimum)
    kMax,      ///< x / maximum
  };
  Method method = Method::kMeanStd;               ///< of variables that are not listed
  std::map<std::string, Method> methods = {};     ///< by variable
  std::map<std::string, std::string> remap = {};  ///< variable to the one whose statistics it takes
  std::string name = "normalizer";                ///< in names of the state
};

/// Says what replaces missing values (NaN) of a variable.
struct Filling {
  enum class Kind : std::uint8_t { kValue, kMinimum, kMaximum, kMean, kStdev, kCopy };
  Kind kind = Kind::kValue;
  double value = 0;       ///< kValue
  std::string from = {};  ///< kCopy: the variable whose value at the same place is taken
};

struct ImputerConfig {
  std::map<std::string, Filling> fillings = {};  ///< by variable; others are left alone
};

/// A change of one variable's values that need not be a line.
struct Mapping {
  enum class Kind : std::uint8_t {
    kNone,
    kLog1p,         ///< ln(1 + x)
    kSqrt,          ///< of x >= 0
    kBoxCox,        ///< (x^exponent - 1) / exponent; ln x for exponent 0
    kPower,         ///< x^exponent of x >= 0
    kAtanh,         ///< atanh(tanh(rho) (2 x - 1)) / rho, of x in [0, 1]; x for rho 0
    kAsinh,         ///< asinh(scale x)
    kAffine,        ///< scale x + shift
    kDisplaceAtoms  ///< values at or beyond an atom go to its target; back: clamped to the atoms
  };
  Kind kind = Kind::kNone;
  double exponent = 0.5;          ///< of kBoxCox, kPower
  bool clip_negative = false;     ///< of those: x < 0 counts as 0
  bool linear_above_one = false;  ///< kPower: beyond 1 along the tangent
  double rho = 2;
  double scale = 1;
  double shift = 0;
  struct Atom {
    double value = 0;
    double target = 0;  ///< beyond the value: below a lower atom, above an upper one
  };
  std::optional<Atom> lower = {};
  std::optional<Atom> upper = {};
  double tolerance = 0;  ///< of values near an atom
};

struct RemapperConfig {
  std::map<std::string, Mapping> mappings = {};  ///< by variable; others are left alone
};

/// Which variables the last axis of a tensor holds, each set in the order of the dataset.
enum class VariableSet : std::uint8_t { kAll, kInput, kOutput };

/// Pre- and post-processing of one dataset: normalisers, mappings and imputers, applied in order
/// and undone in reverse. Holds no reference to what made it; safe to use from several threads.
class Preprocessing {
 public:
  using Step = std::variant<NormaliserConfig, ImputerConfig, RemapperConfig>;

  /// `names` are all variables of the dataset, of which `variables` are the model's. Throws one
  /// `Errc::kInvalidInput` that lists unknown names, statistics that cannot scale and mappings that
  /// cannot be undone.
  Preprocessing(std::vector<std::string> names,
                const Variables& variables,
                const Statistics& statistics,
                const std::vector<Step>& steps);

  struct Processed {
    at::Tensor x;  ///< as the input, in the model's units
    /// Of each imputer: bool [batch, own node, variable], true where the first step was missing.
    std::vector<at::Tensor> missing;
  };

  /// raw [batch, time, own node, variable of the set], physical units, NaN where missing; is not
  /// changed. Throws `Errc::kInvalidInput` if a value is missing that no imputer replaces, or is
  /// none that its variable's mapping takes.
  [[nodiscard]] Processed apply(const at::Tensor& raw, VariableSet set) const;

  /// y [batch, time, own node, output variable] in the model's units; gives physical units, NaN
  /// where the input of `set` that gave `missing` had none. `missing` may be empty: then none.
  [[nodiscard]] at::Tensor undo(const at::Tensor& y,
                                const std::vector<at::Tensor>& missing,
                                VariableSet set) const;

  /// Returns the loss's factor [batch, 1, own node, output variable]: 0 where an output variable
  /// was replaced, else 1. `missing` is of `set`.
  [[nodiscard]] at::Tensor loss_mask(const std::vector<at::Tensor>& missing, VariableSet set) const;

  /// Returns factors, offsets and indices under the reference's names,
  /// `pre_processors.<dataset>.processors.normalizer._norm_mul` and so on, for both directions.
  [[nodiscard]] NamedTensors state(const std::string& dataset) const;
  /// Takes factors and offsets from what `state` gave, or a reference. Other names are left alone.
  /// Throws `Errc::kInvalidInput` for a missing or misshapen one; nothing is changed then.
  void load_state(const std::string& dataset, const NamedTensors& state);

 private:
  struct Normaliser {
    std::string name;
    at::Tensor factor;  // float32 [variable of the dataset]
    at::Tensor offset;
  };
  struct Replacement {
    std::int64_t variable = 0;  // of the dataset
    double value = 0;
    std::int64_t from = -1;  // of the dataset; >= 0: copied
  };
  struct Mapped {
    std::int64_t variable = 0;  // of the dataset
    Mapping mapping = {};
  };
  using Processor = std::variant<Normaliser, std::vector<Replacement>, std::vector<Mapped>>;

  [[nodiscard]] const std::vector<std::int64_t>& positions(VariableSet set) const noexcept;
  void map(at::Tensor& x, const std::vector<Mapped>& mappings, VariableSet set) const;
  void fill(at::Tensor& x, const std::vector<Replacement>& replacements, VariableSet set) const;

  std::vector<std::string> names_;
  std::vector<std::int64_t> all_;  // positions in the dataset
  std::vector<std::int64_t> input_;
  std::vector<std::int64_t> output_;
  std::vector<Processor> processors_;
};

/// Forecasts one step from physical units to physical units, without recording gradients.
/// raw [batch, time, own node, input variable]; gives [batch, time, own node, output variable].
[[nodiscard]] at::Tensor predict_physical(const Network& network,
                                          const Preprocessing& preprocessing,
                                          const at::Tensor& raw,
                                          const ForwardOptions& options = {});

}  // namespace askos::model
