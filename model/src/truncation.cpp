// SPDX-License-Identifier: Apache-2.0
#include "truncation.hpp"

#include "linear_map.hpp"

#include <askos/comm/communicator.hpp>
#include <askos/model/sharding.hpp>

#include <ATen/ATen.h>

namespace askos::model {

Truncation::Truncation(const SparseMatrix& down, const SparseMatrix& up, at::ScalarType dtype)
    : down_(make(down, dtype)), up_(make(up, dtype)) {}

Truncation::Matrix Truncation::make(const SparseMatrix& matrix, at::ScalarType dtype) {
  const at::Tensor offsets = at::tensor(matrix.row_offsets, at::kLong);
  return {.num_rows = matrix.num_rows,
          .num_columns = matrix.num_columns,
          .rows = at::repeat_interleave(at::arange(matrix.num_rows, at::kLong), offsets.diff()),
          .columns = at::tensor(matrix.columns, at::kLong),
          .values = at::tensor(matrix.values, at::kDouble).to(dtype).unsqueeze(1)};
}

at::Tensor Truncation::apply(const Matrix& matrix, const at::Tensor& x) {
  const auto product = [](const at::Tensor& from, const at::Tensor& to, const at::Tensor& values,
                          std::int64_t size, const at::Tensor& y) {  // y [batch, node, field]
    return at::zeros({y.size(0), size, y.size(2)}, y.options())
        .index_add_(1, to, y.index_select(1, from) * values);
  };
  return linear_map(
      x,
      [&](const at::Tensor& y) {
        return product(matrix.columns, matrix.rows, matrix.values, matrix.num_rows, y);
      },
      [matrix, product](const at::Tensor& y) {
        return product(matrix.rows, matrix.columns, matrix.values, matrix.num_columns, y);
      });
}

at::Tensor Truncation::operator()(const at::Tensor& x,
                                  const comm::ShardSizes& sizes,
                                  comm::Communicator& ranks) const {
  const auto fields = comm::balanced_sizes(x.size(2), ranks.size());
  const at::Tensor whole = all_to_all(x, 2, fields, 1, sizes, ranks);
  return all_to_all(apply(up_, apply(down_, whole)), 1, sizes, 2, fields, ranks);
}

}  // namespace askos::model
