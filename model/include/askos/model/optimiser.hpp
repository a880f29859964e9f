// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace askos::model {

/// Learning rate of step t = 0, 1, …
struct LearningRate {
  enum class Kind : std::uint8_t {
    kConstant,
    /// Rises linearly from 0: peak t / warmup_steps, so step 0 changes nothing; from there on the
    /// cosine of t / total_steps, counted from step 0; `floor` from total_steps on. This is timm's
    /// CosineLRScheduler with warmup_prefix = false.
    kCosineFromStart,
    /// Rises linearly, peak (t + 1) / warmup_steps, then falls along a whole half cosine to `floor`
    /// at total_steps.
    kWarmupThenCosine,
  };
  Kind kind = Kind::kWarmupThenCosine;
  double peak = 1e-3;
  double floor = 0;
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 1;

  [[nodiscard]] double at(std::int64_t step) const;
};

/// AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2; decay times learning rate).
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
};

/// How the global gradient is bounded before it is used: by value first, then by norm.
struct ClipOptions {
  std::optional<double> value = {};  ///< each entry into [-value, value]
  std::optional<double> norm = {};   ///< the whole to Euclidean length norm, if longer
};

/// Scales and bounds `gradient` in place and returns its norm after scaling and bounding by value,
/// before bounding by norm. Sums in float64 in a fixed order.
template <typename T>
double prepare_gradient(std::span<T> gradient, double scale, const ClipOptions& clip);

/// Updates parameters and moments in place. `step` counts updates from 1.
template <typename T>
void adamw(const AdamWOptions& options,
           double learning_rate,
           std::int64_t step,
           std::span<const T> gradient,
           std::span<T> parameters,
           std::span<T> first_moment,
           std::span<T> second_moment);

}  // namespace askos::model
