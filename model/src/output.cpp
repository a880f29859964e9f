// SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

#include "linear_map.hpp"

#include <askos/comm/communicator.hpp>
#include <askos/model/sharding.hpp>

#include <ATen/ATen.h>

#include <algorithm>

namespace askos::model {

Truncation::Truncation(const Graph& graph, at::ScalarType dtype)
    : down_(make(graph.truncation_down, dtype)), up_(make(graph.truncation_up, dtype)) {}

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

Boundings::Boundings(Parameters& parameters, const ModelConfig& config) {
  const auto& names = config.variables.output;
  const auto position = [&](const std::string& name) {
    return static_cast<std::int64_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  for (std::size_t i = 0; i < config.boundings.size(); ++i) {
    const Bounding& bounding = config.boundings[i];
    std::vector<std::int64_t> variables;
    for (const auto& name : bounding.variables) variables.push_back(position(name));
    Limit limit = {.kind = bounding.kind,
                   .variables = at::tensor(variables, at::kLong),
                   .minimum = {},
                   .low = bounding.minimum.empty() ? 0 : bounding.minimum[0],
                   .high = bounding.maximum,
                   .total = 0};
    if (bounding.kind == Bounding::Kind::kNormalizedRelu) {
      limit.minimum = at::tensor(bounding.minimum, at::kDouble).to(parameters.dtype());
      parameters.buffer("boundings." + config.data_name + "." + std::to_string(i) + ".norm_min_val",
                        limit.minimum);
    }
    if (bounding.kind == Bounding::Kind::kFraction) limit.total = position(bounding.total);
    limits_.push_back(std::move(limit));
  }
}

at::Tensor Boundings::operator()(at::Tensor y) const {
  for (const Limit& limit : limits_) {
    at::Tensor x = y.index_select(-1, limit.variables);
    switch (limit.kind) {
      case Bounding::Kind::kRelu: x = at::relu(x); break;
      case Bounding::Kind::kNormalizedRelu: x = at::relu(x - limit.minimum) + limit.minimum; break;
      case Bounding::Kind::kHardtanh: x = at::hardtanh(x, limit.low, limit.high); break;
      case Bounding::Kind::kFraction:
        x = at::hardtanh(x, limit.low, limit.high) * y.narrow(-1, limit.total, 1);
        break;
    }
    y = y.index_copy(-1, limit.variables, x);
  }
  return y;
}

}  // namespace askos::model
