// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/config.hpp>
#include <askos/model/graph_plan.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace askos::model {

/// What a training step needs on one rank.
struct MemoryPlan {
  struct Part {
    std::string name;
    std::int64_t kept_bytes = 0;     ///< from the forward to the backward pass
    std::int64_t working_bytes = 0;  ///< besides, while backward is in this part
  };
  int mapper_chunks = 0;
  int processor_segments = 0;
  std::vector<Part> parts;      ///< parameters, fields, encoder, processor, decoder
  std::int64_t peak_bytes = 0;  ///< of tensors, at the worst moment
};

/// What decides memory besides model and graph.
struct MemoryPlanOptions {
  std::int64_t batch = 1;
  std::int64_t number_bytes = 4;  ///< 8 for float64
  std::int64_t num_parameters = 0;
  bool training = true;  ///< with gradients and two moments per parameter
};

/// Counts the tensors that a training step of `config` holds on a rank with `plan`, from their
/// shapes. Chunks and segments are those of `config`; `plan` need not have been made with them. For
/// one dataset whose ranks share edges. Within 15 % of the measured peak where tensors of
/// nodes and edges dominate (tests/model/memory_plan_test.cpp).
[[nodiscard]] MemoryPlan plan_memory(const ModelConfig& config,
                                     const GraphPlan& plan,
                                     const MemoryPlanOptions& options);

/// Returns the plan with the least recomputation whose peak is within `budget_bytes`: first nothing
/// is recomputed, then ever more pieces of mappers and processor. Throws `Errc::kEnvironment`, with
/// the least peak there is, if none fits.
[[nodiscard]] MemoryPlan choose_chunks(const ModelConfig& config,
                                       const GraphPlan& plan,
                                       const MemoryPlanOptions& options,
                                       std::int64_t budget_bytes);

}  // namespace askos::model
