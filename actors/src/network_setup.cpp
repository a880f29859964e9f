// SPDX-License-Identifier: Apache-2.0
#include "network_setup.hpp"

#include <askos/model/device.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <thread>

namespace askos::actors {

std::unique_ptr<model::Network> make_network(const RankContext& rank) {
  const auto& config = rank.run->config;
  // Local ranks share the cores; more threads than cores make each other wait.
  const int share = static_cast<int>(std::thread::hardware_concurrency()) / config.run.ranks;
  at::set_num_threads(config.run.num_threads_per_rank > 0 ? config.run.num_threads_per_rank
                                                          : std::max(1, share));
  return std::make_unique<model::Network>(
      config.model, rank.run->graph, *rank.model,
      model::NetworkOptions{
          .float64 = config.dtype == DType::kFloat64,
          .seed = config.training.seed,
          .device = model::find_device(config.run.ranks > 1 ? "cpu" : config.run.device)});
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
