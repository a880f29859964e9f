// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>
#include <askos/model/graph.hpp>

#include <ATen/core/Tensor.h>

namespace askos::comm {
class Communicator;
}

namespace askos::model {

/// Projects fields to a coarse grid and back (the whole grid on every rank, a share of the fields).
class Truncation {
 public:
  Truncation(const SparseMatrix& down, const SparseMatrix& up, at::ScalarType dtype);

  /// x [batch, own node, field], sharded along nodes by `sizes`; gives the same shape.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x,
                                      const comm::ShardSizes& sizes,
                                      comm::Communicator& ranks) const;

 private:
  struct Matrix {
    std::int64_t num_rows = 0;
    std::int64_t num_columns = 0;
    at::Tensor rows;     // int64 [entry]
    at::Tensor columns;  // int64 [entry]
    at::Tensor values;   // [entry, 1]
  };
  static Matrix make(const SparseMatrix& matrix, at::ScalarType dtype);
  static at::Tensor apply(const Matrix& matrix, const at::Tensor& x);

  Matrix down_;
  Matrix up_;
};

}  // namespace askos::model
