// SPDX-License-Identifier: Apache-2.0
#include "network_setup.hpp"

#include <askos/model/device.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

namespace askos::actors {

namespace {

model::MemoryPlanOptions planned_step(const model::Network& network, const RankContext& rank) {
  const auto& config = rank.run->config;
  const int num_groups = rank.mesh.ensemble().num_groups;
  const std::int64_t batch = (config.training.batch_size + num_groups - 1) / num_groups;
  std::int64_t num_parameters = 0;
  for (const auto& [name, tensor] : network.parameters().all()) num_parameters += tensor.numel();
  return {.batch = batch * rank.num_own_members() * longest_rollout(config.training),
          .number_bytes = size_of(config.dtype),
          .num_parameters = num_parameters};
}

std::unique_ptr<model::Network> build(const model::ModelConfig& model, const RankContext& rank) {
  const auto& config = rank.run->config;
  return std::make_unique<model::Network>(
      model, rank.run->graph, *rank.model,
      model::NetworkOptions{.float64 = config.dtype == DType::kFloat64,
                            .seed = config.training.seed,
                            .device = model::find_device(rank.device)});
}

/// Returns the network's configuration with the fewest chunks with which all ranks fit the budget.
model::ModelConfig fitting(const model::Network& network, const RankContext& rank) {
  const auto plan =
      model::choose_chunks(network.config(), network.plan(), planned_step(network, rank),
                           rank.run->config.memory_budget.value);
  std::int64_t chunks[] = {plan.mapper_chunks, plan.processor_segments};
  rank.model->all_reduce({chunks, 2, DType::kInt64}, comm::ReduceOp::kMax)->wait();
  auto config = network.config();
  config.encoder.num_chunks = config.decoder.num_chunks =
      std::max(config.encoder.num_chunks, static_cast<int>(chunks[0]));
  config.processor.num_chunks = std::max(config.processor.num_chunks, static_cast<int>(chunks[1]));
  return config;
}

}  // namespace

model::MemoryPlan plan_training(const model::Network& network, const RankContext& rank) {
  return model::plan_memory(network.config(), network.plan(), planned_step(network, rank));
}

std::unique_ptr<model::Network> make_network(const RankContext& rank) {
  const auto& config = rank.run->config;
  at::set_num_threads(rank.num_threads);
  auto network = build(config.model, rank);
  return config.memory_budget == Bytes{} ? std::move(network)
                                         : build(fitting(*network, rank), rank);
}

at::Tensor own_interior(const RankContext& rank) {
  if (rank.run->interior.empty()) {
    return {};
  }
  auto mask = at::empty({rank.own_cells.size()}, at::kBool);
  auto* const values = mask.mutable_data_ptr<bool>();
  for (std::int64_t cell = 0; cell < rank.own_cells.size(); ++cell) {
    values[cell] = rank.run->interior[static_cast<std::size_t>(rank.own_cells.begin + cell)];
  }
  return mask;
}

model::RolloutOptions rollout_options(const RankContext& rank) {
  return {.interior = own_interior(rank),
          .num_members = rank.num_own_members(),
          .ensemble = rank.members.get(),
          .noise_seed = rank.run->config.training.seed};
}

std::vector<io::Affine> physical_outputs(const RunContext& run) {
  std::vector<io::Affine> lines;
  for (const auto v : run.output_variables) {
    lines.push_back(run.normaliser[static_cast<std::size_t>(v)].inverse());
  }
  return lines;
}

}  // namespace askos::actors
