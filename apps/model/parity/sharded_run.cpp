// SPDX-License-Identifier: Apache-2.0
#include "parity/sharded_run.hpp"

#include "parity/ranks.hpp"

#include <askos/model/autocast.hpp>
#include <askos/model/loss.hpp>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

namespace askos::apps {

model::ModelConfig with_layout(model::ModelConfig config, const Layout& layout) {
  config.attention = layout.attention;
  config.encoder.num_chunks = config.decoder.num_chunks = layout.chunks;
  config.processor.num_chunks = layout.segments;
  for (auto* block : {&config.encoder, &config.processor, &config.decoder}) {
    block->shard_strategy = layout.strategy;
  }
  return config;
}

model::NamedTensors gradients_of(const model::Network& network) {
  model::NamedTensors gradients;
  for (const auto& [name, tensor] : network.parameters().all()) {
    gradients[name] = (tensor.grad().defined() ? tensor.grad() : at::zeros_like(tensor)).cpu();
  }
  return gradients;
}

model::NamedTensors sum(const std::vector<model::NamedTensors>& of_ranks) {
  model::NamedTensors sums = of_ranks.at(0);
  for (std::size_t r = 1; r < of_ranks.size(); ++r) {
    for (auto& [name, total] : sums) {
      total = total + of_ranks[r].at(name);
    }
  }
  return sums;
}

namespace {

/// One rank's or all ranks' tensors, one per dataset.
using Tensors = std::vector<at::Tensor>;

/// Joins the shards of each dataset along the grid.
Tensors joined(const std::vector<RankResult>& of_ranks, Tensors RankResult::* member) {
  Tensors whole;
  for (std::size_t d = 0; d < (of_ranks[0].*member).size(); ++d) {
    Tensors parts;
    for (const RankResult& part : of_ranks) parts.push_back((part.*member)[d]);
    whole.push_back(at::cat(parts, 2));
  }
  return whole;
}

std::vector<Fields> all_fields(const Problem& problem) {
  std::vector<Fields> all = {{problem.x, problem.target, problem.node_factors,
                              problem.variable_factors, problem.time_factors}};
  all.insert(all.end(), problem.more.begin(), problem.more.end());
  return all;
}

/// This rank's part of one dataset's loss.
at::Tensor loss_of(const Problem& problem,
                   const Fields& fields,
                   const at::Tensor& y,
                   comm::Range own) {
  const at::Tensor target = fields.target.narrow(2, own.begin, own.size()).to(y.options());
  const auto scalers = std::vector<model::Scaler>{
      {"node_weights", fields.node_factors.narrow(0, own.begin, own.size()).view({1, 1, -1, 1})},
      model::variable_weights(fields.variable_factors),
      model::time_weights(fields.time_factors)};
  const bool crps = problem.loss.error == model::ErrorKind::kCrps;
  const at::Tensor prediction =
      crps ? y.unflatten(0, {-1, problem.num_members}).transpose(1, 2) : y;
  return model::partial_loss(prediction, target, scalers, problem.loss).mean();
}

}  // namespace

RankResult run_rank(const Problem& problem,
                    const Layout& layout,
                    bool float64,
                    comm::Communicator& ranks) {
  const auto dtype = float64 ? at::kDouble : at::kFloat;
  const std::vector<Fields> data = all_fields(problem);
  const model::Autocast autocast(
      layout.bfloat16 ? model::Precision::kBFloat16 : model::Precision::kModel,
      layout.device.type());
  model::Network network(with_layout(problem.config, layout), problem.graph, ranks,
                         {.float64 = float64, .seed = 3, .device = layout.device});
  if (!problem.weights.empty()) {
    network.parameters().load(problem.weights);
  }
  RankResult result;
  Tensors x;
  for (std::size_t d = 0; d < data.size(); ++d) {
    result.own.push_back(network.own_data(d));
    const at::Tensor shard = data[d].x.narrow(2, result.own[d].begin, result.own[d].size());
    x.push_back(shard.to(layout.device, dtype, false, /*copy=*/true).set_requires_grad(true));
  }
  const Tensors predictions = network.forward_all(x, problem.forward);
  at::Tensor loss = at::zeros({}, at::TensorOptions(at::kDouble).device(layout.device));
  for (std::size_t d = 0; d < data.size(); ++d) {
    loss = loss + loss_of(problem, data[d], predictions[d], result.own[d]);
    result.y.push_back(predictions[d].detach().cpu());
  }
  torch::autograd::backward({loss}, {});
  for (const at::Tensor& of_dataset : x) result.grad_x.push_back(of_dataset.grad().cpu());
  result.loss = loss.item<double>();
  result.grad_parameters = gradients_of(network);
  return result;
}

Result run(const Problem& problem, const Layout& layout, bool float64) {
  std::vector<RankResult> of_ranks(static_cast<std::size_t>(layout.num_ranks));
  run_ranks(layout.num_ranks, [&](comm::Communicator& ranks) {
    of_ranks[static_cast<std::size_t>(ranks.rank())] = run_rank(problem, layout, float64, ranks);
  });
  Result result;
  std::vector<model::NamedTensors> gradients;
  for (RankResult& part : of_ranks) {
    gradients.push_back(std::move(part.grad_parameters));
    result.loss += part.loss;
  }
  result.grad_parameters = sum(gradients);
  result.more_y = joined(of_ranks, &RankResult::y);
  result.more_grad_x = joined(of_ranks, &RankResult::grad_x);
  result.y = result.more_y[0];
  result.grad_x = result.more_grad_x[0];
  result.more_y.erase(result.more_y.begin());
  result.more_grad_x.erase(result.more_grad_x.begin());
  return result;
}

}  // namespace askos::apps
