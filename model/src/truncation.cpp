// SPDX-License-Identifier: Apache-2.0
#include "truncation.hpp"

#include "whole_grid.hpp"

namespace askos::model {

Truncation::Truncation(const SparseMatrix& down,
                       const SparseMatrix& up,
                       const at::TensorOptions& options)
    : down_(down, options), up_(up, options) {}

at::Tensor Truncation::operator()(const at::Tensor& x,
                                  const comm::ShardSizes& sizes,
                                  comm::Communicator& ranks) const {
  return on_whole_grid(x, sizes, ranks,
                       [this](const at::Tensor& whole, comm::Range) { return up_(down_(whole)); });
}

}  // namespace askos::model
