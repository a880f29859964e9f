// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace askos::comm {
class Communicator;
}

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

/// Returns the part of a scaler of the whole grid that belongs to a shard.
[[nodiscard]] Scaler slice_grid(const Scaler& scaler, comm::Range grid);

/// The error of one prediction y of one truth x, d = y - x.
enum class ErrorKind : std::uint8_t {
  kSquared,   ///< d^2
  kAbsolute,  ///< |d|
  kLogCosh,   ///< ln cosh d
  kHuber,     ///< d^2 / 2 near zero, a line of slope `huber_delta` beyond it
  kCrps,      ///< almost fair kernel CRPS of an ensemble, `crps_alpha` (arXiv:2412.15832)
};

struct LossOptions {
  ErrorKind error = ErrorKind::kSquared;
  bool root = false;         ///< the square root of the sum over all nodes and ranks: RMSE
  double huber_delta = 1;    ///< in units of the difference
  double crps_alpha = 0.95;  ///< 1: fair, 0: that of the empirical distribution
  /// Where prediction or truth (any member) is not a number, the error is 0.
  bool ignore_nans = false;
  bool per_variable = false;                      ///< one value per variable
  bool sum_variables = false;                     ///< add variables up instead of averaging them
  std::vector<std::int64_t> variables = {};       ///< only these; empty: all
  std::vector<std::string> without_scalers = {};  ///< names of scalers that are left out
};

/// Computes this rank's part of the loss of each batch entry, before any root:
///
///   L[b] = sum over t, own g of mean over v of product of scalers * error(prediction, target)
///
/// prediction [batch, time, own grid, variable], or [batch, time, member, own grid, variable] with
/// `ErrorKind::kCrps`, which needs two members or more; target [batch, time, own grid, variable];
/// one floating dtype. Returns float64 [batch], or [batch, variable] with `per_variable`; summed
/// over the ranks of a model and averaged over the batch it is the loss. Differentiable in
/// `prediction`. Difference and scalers are fused: besides the gradient no tensor of the shard's
/// size is made. Sums are in float64 and in a fixed order. Throws `Errc::kShapeMismatch` on shapes
/// that do not fit, `Errc::kNotFound` on a scaler to leave out that is not there.
[[nodiscard]] at::Tensor partial_loss(const at::Tensor& prediction,
                                      const at::Tensor& target,
                                      const std::vector<Scaler>& scalers,
                                      const LossOptions& options);

/// `partial_loss` with the squared error.
[[nodiscard]] at::Tensor squared_error(const at::Tensor& prediction,
                                       const at::Tensor& target,
                                       const std::vector<Scaler>& scalers);

/// One of several losses that are added up.
struct LossTerm {
  double weight = 1;
  std::vector<Scaler> scalers = {};
  LossOptions options = {};
};

/// Returns the weighted sum of losses over all ranks, averaged over the batch, with roots taken:
/// float64, a scalar or [variable], the same on every rank. Backward gives each rank the gradient
/// of its shard's part. Collective over `ranks`.
[[nodiscard]] at::Tensor total_loss(const at::Tensor& prediction,
                                    const at::Tensor& target,
                                    const std::vector<LossTerm>& terms,
                                    comm::Communicator& ranks);

}  // namespace askos::model
