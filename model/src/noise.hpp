// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "layers.hpp"

#include <askos/comm/partition.hpp>
#include <askos/model/graph.hpp>
#include <askos/model/network.hpp>

namespace askos::model {

/// Returns standard normal numbers [entry, node, channel] for `nodes` (global numbers). Each
/// depends on the seed, its entry's member, its node and its channel alone: whoever draws it, and
/// beside whatever others, gets the same.
[[nodiscard]] at::Tensor standard_normal(std::uint64_t seed,
                                         const std::vector<std::int64_t>& members,
                                         const std::vector<std::int64_t>& nodes,
                                         std::int64_t num_channels,
                                         at::ScalarType dtype);

/// Makes the noise of an ensemble model and, if so configured, mixes it into the latent state.
class NoiseInjector {
 public:
  /// `projection` (hidden from noise nodes) may be empty: noise is then drawn on the hidden nodes.
  /// `own` is this rank's range of hidden nodes.
  NoiseInjector(Parameters& parameters,
                const NoiseConfig& config,
                std::int64_t latent_channels,
                const SparseMatrix& projection,
                comm::Range own);

  struct Result {
    at::Tensor latent;     ///< [batch, own hidden node, channel]
    at::Tensor condition;  ///< [batch, own hidden node, noise channel], undefined without
  };
  [[nodiscard]] Result operator()(const at::Tensor& latent, const ForwardOptions& options) const;

 private:
  [[nodiscard]] at::Tensor drawn(std::int64_t batch, const ForwardOptions& options) const;

  NoiseConfig config_;
  at::TensorOptions options_;
  std::vector<std::int64_t> nodes_;  // global numbers of the noise nodes that this rank reads
  at::Tensor node_positions_;        // the same
  // Own rows of the projection; undefined without.
  std::int64_t num_own_ = 0;
  at::Tensor rows_;     // int64 [entry], own hidden nodes
  at::Tensor columns_;  // int64 [entry], into nodes_
  at::Tensor values_;   // [entry, 1]
  Linear in_;
  Linear out_;
  LayerNorm norm_;
  Linear mix_;  // kInjection only
};

}  // namespace askos::model
