// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/graph.hpp>

#include <ATen/core/Tensor.h>

namespace askos::model {

/// Multiplies fields by a sparse matrix along the nodes.
class SparseOperator {
 public:
  SparseOperator(const SparseMatrix& matrix, const at::TensorOptions& options);

  /// x [batch, column, field]; gives [batch, row, field]. Backward multiplies by the transpose.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

 private:
  std::int64_t num_rows_;
  std::int64_t num_columns_;
  at::Tensor rows_;     // int64 [entry]
  at::Tensor columns_;  // int64 [entry]
  at::Tensor values_;   // [entry, 1]
};

}  // namespace askos::model
