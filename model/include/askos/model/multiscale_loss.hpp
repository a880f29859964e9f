// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/graph.hpp>
#include <askos/model/loss.hpp>

#include <memory>

namespace askos::model {

/// One scale of a multi-scale loss.
struct LossScale {
  double weight = 1;
  SparseMatrix smoothing = {};  ///< [data node, data node] of the whole grid; empty: none
};

/// A loss of what each scale adds to the coarser one before it: with y_i and x_i, prediction and
/// target smoothed for scale i, and y_0 = x_0 = 0 before the first,
///
///   sum over i of weight_i loss(y_i - y_(i-1), x_i - x_(i-1))
///
/// Every rank smooths some variables on the whole grid, between two all-to-alls.
class MultiscaleLoss {
 public:
  /// `scales` from coarse to fine, `options` those of the fields. Throws `Errc::kInvalidInput` if a
  /// matrix is not square or not that of the grid of `sizes`, each rank's number of nodes.
  MultiscaleLoss(const std::vector<LossScale>& scales,
                 const comm::ShardSizes& sizes,
                 const at::TensorOptions& options);
  ~MultiscaleLoss();
  MultiscaleLoss(MultiscaleLoss&&) noexcept;
  MultiscaleLoss& operator=(MultiscaleLoss&&) noexcept;

  /// As `total_loss` of one term, of the same shapes. Collective over `ranks`.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& prediction,
                                      const at::Tensor& target,
                                      const LossTerm& term,
                                      comm::Communicator& ranks) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace askos::model
