// SPDX-License-Identifier: Apache-2.0
// What a model knows of its nodes and edges besides the fields.
#pragma once

#include <askos/model/graph_plan.hpp>
#include <askos/model/parameters.hpp>

namespace askos::model {

/// Coordinates and trainable numbers of one rank's nodes.
class NodeAttributes {
 public:
  NodeAttributes(Parameters& parameters,
                 const std::string& name,
                 const Nodes& nodes,
                 int num_trainables,
                 comm::Range own);

  [[nodiscard]] std::int64_t size() const noexcept { return 4 + num_trainables_; }
  /// [own node, 4]
  [[nodiscard]] at::Tensor coordinates() const;
  /// [own node, trainable], perhaps none
  [[nodiscard]] at::Tensor trainables() const;
  /// [own node, 4 + trainable]
  [[nodiscard]] at::Tensor all() const;

 private:
  comm::Range own_;
  std::int64_t num_trainables_;
  at::Tensor coordinates_;
  at::Tensor trainables_;
};

/// Features of one rank's edges: attributes of the graph and trainable numbers.
class EdgeFeatures {
 public:
  EdgeFeatures(Parameters& parameters,
               const std::string& name,
               std::int64_t num_edges,
               int num_trainables,
               const EdgePlan& plan);

  [[nodiscard]] std::int64_t size() const;
  /// [own edge, feature]
  [[nodiscard]] at::Tensor operator()() const;

 private:
  comm::Range own_;
  at::Tensor attributes_;
  at::Tensor trainables_;
};

/// [node, feature] to [batch, node, feature].
[[nodiscard]] at::Tensor for_batch(const at::Tensor& x, std::int64_t batch);

}  // namespace askos::model
