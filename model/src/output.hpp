// SPDX-License-Identifier: Apache-2.0
// What happens after the decoder: residual connection and limits of variables.
#pragma once

#include <askos/comm/partition.hpp>
#include <askos/model/config.hpp>
#include <askos/model/graph.hpp>
#include <askos/model/parameters.hpp>

#include <ATen/core/Tensor.h>

namespace askos::comm {
class Communicator;
}

namespace askos::model {

/// Projects fields to a coarse grid and back (the whole grid on every rank, a share of the fields).
class Truncation {
 public:
  Truncation(const Graph& graph, at::ScalarType dtype);

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

/// Applies the configured limits, in order.
class Boundings {
 public:
  /// Registers the buffers that the limits need.
  Boundings(Parameters& parameters, const ModelConfig& config);

  /// y [..., variable] in normalised units.
  [[nodiscard]] at::Tensor operator()(at::Tensor y) const;

 private:
  struct Limit {
    Bounding::Kind kind;
    at::Tensor variables;  // int64 [bounded variable]
    at::Tensor minimum;    // [bounded variable], only kNormalizedRelu
    double low = 0;
    double high = 0;
    std::int64_t total = 0;
  };
  std::vector<Limit> limits_;
};

}  // namespace askos::model
