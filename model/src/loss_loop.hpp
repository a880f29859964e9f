// SPDX-License-Identifier: Apache-2.0
// The loop of a loss over the rows of a shard: scalers and error in one pass.
#pragma once

#include "pointwise_errors.hpp"

#include <askos/model/loss.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace askos::model {

/// Rows (all variables of one node and step) whose errors are added up together. Fixed, so that
/// the sum does not depend on the number of threads.
inline constexpr std::int64_t kRowsPerBlock = 256;

/// A scaler as the loop reads it: stride 0 where an axis has length 1.
template <typename T>
struct ScalerView {
  const T* data;
  std::array<std::int64_t, 4> strides;
};

/// What decides a loss besides its tensors, as saved for backward.
struct LossPlan {
  LossOptions options;
  std::vector<std::int64_t> variables;  // those that count, in order
  std::int64_t members = 1;
};

/// The loop over rows, forward and backward. prediction [batch, time, member, grid, variable].
template <typename T, typename Error>
class LossLoop {
 public:
  LossLoop(const at::Tensor& prediction,
           const at::Tensor& target,
           const std::vector<at::Tensor>& scalers,
           const LossPlan& plan,
           const Error& error)
      : prediction_(prediction.const_data_ptr<T>()),
        target_(target.const_data_ptr<T>()),
        plan_(plan),
        error_(error) {
    for (std::size_t axis = 0; axis < 4; ++axis) sizes_[axis] = target.size(axis);
    for (const auto& scaler : scalers) {
      ScalerView<T> view{scaler.const_data_ptr<T>(), {}};
      for (std::size_t axis = 0; axis < 4; ++axis) {
        view.strides[axis] = scaler.size(axis) == 1 ? 0 : scaler.stride(axis);
      }
      scalers_.push_back(view);
    }
    if (plan.options.sum_variables || plan.options.per_variable || plan.variables.empty()) return;
    share_ = 1 / static_cast<double>(plan.variables.size());
  }

  [[nodiscard]] std::int64_t blocks_per_entry() const {
    return (rows_per_entry() + kRowsPerBlock - 1) / kRowsPerBlock;
  }

  /// Adds up one block of one batch entry: `totals` [1] or one per variable that counts.
  void sum(std::int64_t block, double* totals) const {
    for_each_row(block, [&](std::int64_t row, const std::vector<T>& factors) {
      double mean = 0;
      for (std::size_t i = 0; i < plan_.variables.size(); ++i) {
        const T* y = prediction_at(row, plan_.variables[i]);
        const T x = target_[row * sizes_[3] + plan_.variables[i]];
        if (skips(y, x)) continue;
        const auto part = static_cast<double>(factors[i] * error_.value(y, stride(), x));
        if (plan_.options.per_variable) {
          totals[i] += part;
        } else {
          mean += part;
        }
      }
      if (!plan_.options.per_variable) totals[0] += mean * share_;
    });
  }

  /// Writes the gradient of one block, times that of its batch entry: [1] or one per variable.
  void gradient(std::int64_t block, const double* of_entry, T* gradient) const {
    for_each_row(block, [&](std::int64_t row, const std::vector<T>& factors) {
      for (std::size_t i = 0; i < plan_.variables.size(); ++i) {
        const T* y = prediction_at(row, plan_.variables[i]);
        const T x = target_[row * sizes_[3] + plan_.variables[i]];
        if (skips(y, x)) continue;
        const double scale = share_ * of_entry[plan_.options.per_variable ? i : 0];
        error_.slopes(y, stride(), x, static_cast<T>(scale) * factors[i],
                      gradient + (y - prediction_));
      }
    });
  }

 private:
  [[nodiscard]] std::int64_t rows_per_entry() const { return sizes_[1] * sizes_[2]; }
  /// Entries between members.
  [[nodiscard]] std::int64_t stride() const { return sizes_[2] * sizes_[3]; }
  /// The first member's entry of target row `row`, which counts entries, steps and nodes.
  [[nodiscard]] const T* prediction_at(std::int64_t row, std::int64_t variable) const {
    const std::int64_t step = row / sizes_[2];
    return prediction_ + (step * plan_.members * sizes_[2] + row % sizes_[2]) * sizes_[3] +
           variable;
  }
  [[nodiscard]] bool skips(const T* y, T x) const {
    if (!plan_.options.ignore_nans) return false;
    T sum = x;
    for (std::int64_t m = 0; m < plan_.members; ++m) sum += y[m * stride()];
    return std::isnan(sum);
  }

  /// Calls `use(row, factors)` for the rows of a block; `factors` is the product of the scalers for
  /// each variable that counts, built for one row at a time.
  template <typename Use>
  void for_each_row(std::int64_t block, const Use& use) const {
    const std::int64_t entry = block / blocks_per_entry();
    const std::int64_t first = block % blocks_per_entry() * kRowsPerBlock;
    const std::int64_t last = std::min(first + kRowsPerBlock, rows_per_entry());
    std::vector<T> factors(plan_.variables.size());
    for (std::int64_t row = first; row < last; ++row) {
      const std::array<std::int64_t, 3> at = {entry, row / sizes_[2], row % sizes_[2]};
      std::fill(factors.begin(), factors.end(), T(1));
      for (const auto& scaler : scalers_) {
        const T* values = scaler.data;
        for (std::size_t axis = 0; axis < 3; ++axis) values += at[axis] * scaler.strides[axis];
        for (std::size_t i = 0; i < factors.size(); ++i) {
          factors[i] *= values[plan_.variables[i] * scaler.strides[3]];
        }
      }
      use(entry * rows_per_entry() + row, factors);
    }
  }

  const T* prediction_;
  const T* target_;
  const LossPlan& plan_;
  Error error_;
  std::array<std::int64_t, 4> sizes_{};
  std::vector<ScalerView<T>> scalers_;
  double share_ = 1;
};

/// Calls `use` with the error that `plan` names.
template <typename T, typename Use>
void with_error(const LossPlan& plan, const Use& use) {
  const LossOptions& options = plan.options;
  switch (options.error) {
    case ErrorKind::kSquared: return use(OneMember<T, Squared<T>>{});
    case ErrorKind::kAbsolute: return use(OneMember<T, Absolute<T>>{});
    case ErrorKind::kLogCosh: return use(OneMember<T, LogCosh<T>>{});
    case ErrorKind::kHuber:
      return use(OneMember<T, Huber<T>>{{static_cast<T>(options.huber_delta)}});
    case ErrorKind::kCrps: return use(Crps<T>{plan.members, static_cast<T>(options.crps_alpha)});
  }
}

}  // namespace askos::model
