// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/rank_context.hpp>
#include <askos/model/memory_plan.hpp>
#include <askos/model/network.hpp>
#include <askos/model/rollout.hpp>

#include <ATen/core/Tensor.h>

#include <memory>

namespace askos::actors {

/// Builds this rank's network on the calling thread, which then computes with its share of the
/// cores. Collective over the ranks of the model.
[[nodiscard]] std::unique_ptr<model::Network> make_network(const RankContext& rank);

/// Plans the memory of this rank's training steps, with the network's chunks and the longest
/// rollout. For ranks that share edges, in the model's own type: autocast takes less.
[[nodiscard]] model::MemoryPlan plan_training(const model::Network& network,
                                              const RankContext& rank);

/// Returns bool [own cell], false in the frame of a limited area; undefined where there is none.
[[nodiscard]] at::Tensor own_interior(const RankContext& rank);

/// Says how a rank forecasts several times in a row, and its members of an ensemble.
[[nodiscard]] model::RolloutOptions rollout_options(const RankContext& rank);

/// Output variables' lines from normalised to physical values, in the model's order.
[[nodiscard]] std::vector<io::Affine> physical_outputs(const RunContext& run);

}  // namespace askos::actors
