// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "node_features.hpp"
#include "residual.hpp"

#include <askos/model/network.hpp>

namespace askos::model {

/// Turns one dataset's fields into features of nodes: what its encoder reads and what its decoder
/// knows of its destinations.
class DatasetInputs {
 public:
  /// `nodes` must outlive this.
  DatasetInputs(const ModelConfig& config,
                const DatasetConfig& dataset,
                const NodeAttributes& nodes);

  /// Number of features that `encoded` gives.
  [[nodiscard]] std::int64_t encoded_size() const;
  /// x [batch, time, own node, variable]; gives [batch, own node, feature]: fields (time slowest),
  /// attributes of nodes, the forecast step if the model is told.
  [[nodiscard]] at::Tensor encoded(const at::Tensor& x, const ForwardOptions& options) const;

  [[nodiscard]] std::int64_t target_size() const;
  /// What the decoder knows about its destinations: [batch, own node, feature]. `encoded` may be
  /// undefined where it is no such feature.
  [[nodiscard]] at::Tensor target(const at::Tensor& x, const at::Tensor& encoded) const;

  /// Throws `Errc::kShapeMismatch` or `kTypeMismatch` unless `x` fits; `num_own` nodes.
  void check(const at::Tensor& x, at::ScalarType dtype, std::int64_t num_own, int rank) const;

 private:
  std::vector<TargetFeature> target_;
  std::int64_t num_steps_;
  std::int64_t num_variables_;
  bool forecast_step_;
  Roles roles_;
  const NodeAttributes* nodes_;
};

}  // namespace askos::model
