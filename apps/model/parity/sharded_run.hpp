// SPDX-License-Identifier: Apache-2.0
// Runs one problem on any layout of ranks, chunks and segments and puts the parts together.
#pragma once

#include "parity/ranks.hpp"

#include <askos/model/loss.hpp>
#include <askos/model/network.hpp>

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

namespace askos::apps {

/// Data of one dataset and the factors of its loss.
struct Fields {
  at::Tensor x;             ///< [batch, time, grid, variable]
  at::Tensor target;        ///< [batch / members, time, grid, variable]
  at::Tensor node_factors;  ///< [grid]
  std::vector<double> variable_factors;
  std::vector<double> time_factors;
};

/// A model with data and the factors of its loss.
struct Problem {
  model::ModelConfig config;
  model::Graph graph;
  model::NamedTensors weights;  ///< empty: as the seed makes them
  at::Tensor x;                 ///< [batch, time, grid, variable]
  at::Tensor target;            ///< [batch, time, grid, variable]
  at::Tensor node_factors;      ///< [grid]
  std::vector<double> variable_factors;
  std::vector<double> time_factors;
  std::vector<Fields> more = {};  ///< of further datasets
  model::ForwardOptions forward = {};
  model::LossOptions loss = {};
  /// Members of an ensemble, beside each other in the batch, that a CRPS takes together.
  std::int64_t num_members = 1;
};

/// How a problem is spread over ranks and cut into pieces: changes no number but for rounding.
struct Layout {
  std::string name = {};
  int num_ranks = 1;
  comm::Communicator* processes = nullptr;  ///< as `RankPlace::processes`
  int chunks = 0;                           ///< of encoder and decoder
  int segments = 0;                         ///< of the processor
  model::ShardStrategy strategy = model::ShardStrategy::kEdges;
  at::Device device = at::kCPU;
  bool bfloat16 = false;  ///< linear layers multiply in bfloat16 (autocast)
  model::AttentionBackend attention = model::AttentionBackend::kLoops;
};

/// Returns `config` with what `layout` says.
[[nodiscard]] model::ModelConfig with_layout(model::ModelConfig config, const Layout& layout);

struct Result {
  at::Tensor y;  ///< [batch, time, grid, variable]
  double loss = 0;
  at::Tensor grad_x;
  std::vector<at::Tensor> more_y;  ///< of further datasets
  std::vector<at::Tensor> more_grad_x;
  model::NamedTensors grad_parameters;  ///< summed over ranks
};

/// What one rank found of a problem: its shards, the loss, its part of the gradients.
struct RankResult {
  std::vector<at::Tensor> y;       ///< by dataset, [batch, time, own grid, variable]
  std::vector<at::Tensor> grad_x;  ///< the same
  std::vector<comm::Range> own;    ///< by dataset: which part of the grid that is
  double loss = 0;                 ///< of all ranks
  model::NamedTensors grad_parameters;
};

/// Runs forward, loss (the sum over datasets) and backward on one rank. Collective over `ranks`.
[[nodiscard]] RankResult run_rank(const Problem& problem,
                                  const Layout& layout,
                                  bool float64,
                                  comm::Communicator& ranks);

/// Does so on all ranks and puts the parts together.
[[nodiscard]] Result run(const Problem& problem, const Layout& layout, bool float64);

/// Returns the gradients of a network's parameters, zeros where there are none.
[[nodiscard]] model::NamedTensors gradients_of(const model::Network& network);

/// Adds gradients of parameters to what a rank found.
void put_gradients(model::NamedTensors& found, const model::NamedTensors& gradients);

/// Adds up, in rank order, the gradients that `put_gradients` has put there.
[[nodiscard]] model::NamedTensors sum_gradients(const std::vector<model::NamedTensors>& of_ranks);

}  // namespace askos::apps
