// SPDX-License-Identifier: Apache-2.0
#include "sparse_operator.hpp"

#include "linear_map.hpp"

#include <ATen/ATen.h>

namespace askos::model {
namespace {

/// y[:, to[i]] += values[i] * x[:, from[i]]
at::Tensor product(const at::Tensor& x,
                   const at::Tensor& from,
                   const at::Tensor& to,
                   const at::Tensor& values,
                   std::int64_t size) {
  return at::zeros({x.size(0), size, x.size(2)}, x.options())
      .index_add_(1, to, x.index_select(1, from) * values);
}

}  // namespace

SparseOperator::SparseOperator(const SparseMatrix& matrix, const at::TensorOptions& options)
    : num_rows_(matrix.num_rows),
      num_columns_(matrix.num_columns),
      rows_(at::repeat_interleave(at::arange(matrix.num_rows, at::kLong),
                                  at::tensor(matrix.row_offsets, at::kLong).diff())
                .to(options.device())),
      columns_(at::tensor(matrix.columns, at::kLong).to(options.device())),
      values_(at::tensor(matrix.values, at::kDouble).to(options).unsqueeze(1)) {}

at::Tensor SparseOperator::operator()(const at::Tensor& x) const {
  return linear_map(
      x, [&](const at::Tensor& y) { return product(y, columns_, rows_, values_, num_rows_); },
      [self = *this](const at::Tensor& y) {
        return product(y, self.rows_, self.columns_, self.values_, self.num_columns_);
      });
}

}  // namespace askos::model
