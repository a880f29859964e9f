// SPDX-License-Identifier: Apache-2.0
#include "loss_tensors.hpp"

#include <numbers>

namespace askos::model {
namespace {

/// d [..]: the error of one member, see pointwise_errors.hpp.
at::Tensor error_of(const at::Tensor& d, const LossOptions& options) {
  const at::Tensor size = d.abs();
  switch (options.error) {
    case ErrorKind::kAbsolute: return size;
    case ErrorKind::kLogCosh: return size + (-2 * size).exp().log1p() - std::numbers::ln2;
    case ErrorKind::kHuber: {
      const double delta = options.huber_delta;
      return at::where(size < delta, d.square() / 2, delta * (size - delta / 2));
    }
    case ErrorKind::kSquared:
    case ErrorKind::kCrps: break;
  }
  return d.square();
}

/// y [batch, time, member, grid, variable], x without the members.
at::Tensor crps_of(const at::Tensor& y, const at::Tensor& x, const LossPlan& plan) {
  const auto members = static_cast<double>(plan.members);
  const double keep = 1 - (1 - plan.options.crps_alpha) / members;
  at::Tensor sum;
  for (std::int64_t i = 0; i < plan.members; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      const at::Tensor y_i = y.select(2, i);
      const at::Tensor y_j = y.select(2, j);
      const at::Tensor pair = (y_i - x).abs() + (y_j - x).abs() - keep * (y_i - y_j).abs();
      sum = sum.defined() ? sum + pair : pair;
    }
  }
  return sum / (members * (members - 1));
}

bool counts_all(const LossPlan& plan, std::int64_t num_variables) {
  for (std::size_t i = 0; i < plan.variables.size(); ++i) {
    if (plan.variables[i] != static_cast<std::int64_t>(i)) return false;
  }
  return static_cast<std::int64_t>(plan.variables.size()) == num_variables;
}

}  // namespace

at::Tensor partial_loss_of_tensors(const at::Tensor& prediction,
                                   const at::Tensor& target,
                                   const std::vector<at::Tensor>& scalers,
                                   const LossPlan& plan) {
  const LossOptions& options = plan.options;
  const bool crps = options.error == ErrorKind::kCrps;
  at::Tensor y = prediction;
  at::Tensor x = target;
  if (options.ignore_nans) {
    const at::Tensor unknown = ((crps ? y.sum(2) : y) + x).isnan();
    y = at::where(crps ? unknown.unsqueeze(2) : unknown, 0, y);
    x = at::where(unknown, 0, x);
  }
  at::Tensor error = crps ? crps_of(y, x, plan) : error_of(y - x, options);
  for (const at::Tensor& scaler : scalers) error = error * scaler;
  if (!counts_all(plan, target.size(3))) {
    error = error.index_select(3, at::tensor(plan.variables, at::kLong).to(error.device()));
  }
  const at::Tensor of_variables = error.sum({1, 2}, /*keepdim=*/false, at::kDouble);
  if (options.per_variable) return of_variables;
  return options.sum_variables ? of_variables.sum(1) : of_variables.mean(1);
}

}  // namespace askos::model
