// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace askos::model {

/// One factor of the loss. `values` has four axes, [batch, time, own grid, variable], each of full
/// length or 1; it is applied by itself, never multiplied into another scaler beforehand.
struct Scaler {
  std::string name;
  at::Tensor values;
};

/// Weighs data nodes: shares of the global sum. `weights` [data node] of the whole grid, >= 0; the
/// rank's part is [begin, begin + size).
[[nodiscard]] Scaler node_weights(const std::vector<double>& weights,
                                  std::int64_t begin,
                                  std::int64_t size);

/// Weighs output variables, as given.
[[nodiscard]] Scaler variable_weights(const std::vector<double>& weights);

/// Weighs output steps, as given; they should add up to 1.
[[nodiscard]] Scaler time_weights(const std::vector<double>& weights);

/// Returns weights of variables that make the loss count errors in units of what changes:
/// variance / variance of the tendency over one step, both of the same (say raw) unit.
[[nodiscard]] std::vector<double> tendency_variance_weights(
    const std::vector<double>& deviations, const std::vector<double>& tendency_deviations);

/// Computes this rank's part of the squared-error loss of each batch entry:
///
///   L[b] = sum over t, own g of (1/V) sum over v of product of scalers * (prediction - target)^2
///
/// prediction, target [batch, time, own grid, variable], one floating dtype. Returns float64
/// [batch]; summed over the ranks of a model and averaged over the batch it is the loss.
/// Differentiable in `prediction`. Difference and scalers are fused: besides the gradient no tensor
/// of the shard's size is made. Sums are in float64 and in a fixed order.
[[nodiscard]] at::Tensor squared_error(const at::Tensor& prediction,
                                       const at::Tensor& target,
                                       const std::vector<Scaler>& scalers);

}  // namespace askos::model
