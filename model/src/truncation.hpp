// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sparse_operator.hpp"

#include <askos/comm/partition.hpp>

namespace askos::comm {
class Communicator;
}

namespace askos::model {

/// Projects fields to a coarse grid and back (the whole grid on every rank, a share of the fields).
class Truncation {
 public:
  Truncation(const SparseMatrix& down, const SparseMatrix& up, const at::TensorOptions& options);

  /// x [batch, own node, field], sharded along nodes by `sizes`; gives the same shape.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x,
                                      const comm::ShardSizes& sizes,
                                      comm::Communicator& ranks) const;

 private:
  SparseOperator down_;
  SparseOperator up_;
};

}  // namespace askos::model
