// SPDX-License-Identifier: Apache-2.0
#include "sparse_operator.hpp"
#include "whole_grid.hpp"

#include <askos/base/error.hpp>
#include <askos/model/multiscale_loss.hpp>

#include <ATen/ATen.h>

#include <numeric>
#include <optional>

namespace askos::model {
namespace {

struct Scale {
  double weight;
  std::optional<SparseOperator> smoothing;
};

/// x [..., own node, variable], smoothed on the whole grid.
at::Tensor smoothed(const at::Tensor& x,
                    const Scale& scale,
                    const comm::ShardSizes& sizes,
                    comm::Communicator& ranks) {
  if (!scale.smoothing) return x;
  const auto change = [&](const at::Tensor& whole, comm::Range) {
    return (*scale.smoothing)(whole);
  };
  return on_whole_grid(x.flatten(0, -3), sizes, ranks, change).reshape(x.sizes());
}

}  // namespace

struct MultiscaleLoss::Parts {
  std::vector<Scale> scales;
  comm::ShardSizes sizes;
};

MultiscaleLoss::MultiscaleLoss(const std::vector<LossScale>& scales,
                               const comm::ShardSizes& sizes,
                               const at::TensorOptions& options)
    : parts_(std::make_unique<Parts>(Parts{{}, sizes})) {
  const auto num_nodes = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const SparseMatrix& matrix = scales[i].smoothing;
    auto& scale = parts_->scales.emplace_back(Scale{scales[i].weight, std::nullopt});
    if (matrix.num_rows == 0) continue;
    if (matrix.num_rows != num_nodes || matrix.num_columns != num_nodes) {
      throw Error(Errc::kInvalidInput, "smoothing of a loss needs a square matrix of the grid")
          .with("scale", i)
          .with("rows", matrix.num_rows)
          .with("columns", matrix.num_columns)
          .with("nodes", num_nodes);
    }
    scale.smoothing.emplace(matrix, options);
  }
}

MultiscaleLoss::~MultiscaleLoss() = default;
MultiscaleLoss::MultiscaleLoss(MultiscaleLoss&&) noexcept = default;
MultiscaleLoss& MultiscaleLoss::operator=(MultiscaleLoss&&) noexcept = default;

at::Tensor MultiscaleLoss::operator()(const at::Tensor& prediction,
                                      const at::Tensor& target,
                                      const LossTerm& term,
                                      comm::Communicator& ranks) const {
  at::Tensor sum;
  at::Tensor y_before;
  at::Tensor x_before;
  for (const Scale& scale : parts_->scales) {
    const at::Tensor y = smoothed(prediction, scale, parts_->sizes, ranks);
    const at::Tensor x = smoothed(target, scale, parts_->sizes, ranks);
    const bool first = !sum.defined();
    const at::Tensor loss = scale.weight * total_loss(first ? y : y - y_before,
                                                      first ? x : x - x_before, {term}, ranks);
    sum = first ? loss : sum + loss;
    y_before = y;
    x_before = x;
  }
  return sum;
}

}  // namespace askos::model
