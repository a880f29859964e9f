// SPDX-License-Identifier: Apache-2.0
#include "parity/sharded_run.hpp"

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

namespace {

constexpr std::string_view kGradient = "gradient of ";

}  // namespace

void put_gradients(model::NamedTensors& found, const model::NamedTensors& gradients) {
  for (const auto& [name, gradient] : gradients) found[std::string(kGradient) + name] = gradient;
}

model::NamedTensors sum_gradients(const std::vector<model::NamedTensors>& of_ranks) {
  model::NamedTensors sums;
  for (const auto& found : of_ranks) {
    for (const auto& [name, part] : found) {
      if (!name.starts_with(kGradient)) continue;
      at::Tensor& total = sums[name.substr(kGradient.size())];
      total = total.defined() ? total + part : part;
    }
  }
  return sums;
}

namespace {

/// One rank's or all ranks' tensors, one per dataset.
using Tensors = std::vector<at::Tensor>;

/// Names what one rank found.
model::NamedTensors named(const RankResult& result) {
  model::NamedTensors tensors;
  for (std::size_t d = 0; d < result.y.size(); ++d) {
    tensors["y " + std::to_string(d)] = result.y[d];
    tensors["grad_x " + std::to_string(d)] = result.grad_x[d];
  }
  put_gradients(tensors, result.grad_parameters);
  tensors["loss"] = at::scalar_tensor(result.loss, at::kDouble);
  return tensors;
}

/// Joins the shards of each dataset.
Tensors joined_by_dataset(const std::vector<model::NamedTensors>& of_ranks,
                          const std::string& quantity,
                          std::size_t num_datasets) {
  Tensors whole;
  for (std::size_t d = 0; d < num_datasets; ++d) {
    whole.push_back(joined(of_ranks, quantity + " " + std::to_string(d)));
  }
  return whole;
}

std::vector<Fields> all_fields(const Problem& problem) {
  std::vector<Fields> all = {{problem.x, problem.target, problem.node_factors,
                              problem.variable_factors, problem.time_factors}};
  all.insert(all.end(), problem.more.begin(), problem.more.end());
  return all;
}

/// One dataset's loss over all ranks; collective.
at::Tensor loss_of(const Problem& problem,
                   const Fields& fields,
                   const at::Tensor& y,
                   comm::Range own,
                   comm::Communicator& ranks) {
  const at::Tensor target = fields.target.narrow(2, own.begin, own.size()).to(y.options());
  const model::LossTerm term = {
      .scalers = {{"node_weights",
                   fields.node_factors.narrow(0, own.begin, own.size()).view({1, 1, -1, 1})},
                  model::variable_weights(fields.variable_factors),
                  model::time_weights(fields.time_factors)},
      .options = problem.loss};
  const bool crps = problem.loss.error == model::ErrorKind::kCrps;
  const at::Tensor prediction =
      crps ? y.unflatten(0, {-1, problem.num_members}).transpose(1, 2) : y;
  return model::total_loss(prediction, target, {term}, ranks);
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
    loss = loss + loss_of(problem, data[d], predictions[d], result.own[d], ranks);
    result.y.push_back(predictions[d].detach().cpu());
  }
  torch::autograd::backward({loss}, {});
  for (const at::Tensor& of_dataset : x) result.grad_x.push_back(of_dataset.grad().cpu());
  result.loss = loss.item<double>();
  result.grad_parameters = gradients_of(network);
  return result;
}

Result run(const Problem& problem, const Layout& layout, bool float64) {
  const auto of_ranks = collect_from_ranks(
      {.num_ranks = layout.num_ranks, .processes = layout.processes},
      [&](comm::Communicator& ranks) { return named(run_rank(problem, layout, float64, ranks)); });
  Result result;
  result.loss = of_ranks[0].at("loss").item<double>();
  result.grad_parameters = sum_gradients(of_ranks);
  const auto num_datasets = problem.more.size() + 1;
  result.more_y = joined_by_dataset(of_ranks, "y", num_datasets);
  result.more_grad_x = joined_by_dataset(of_ranks, "grad_x", num_datasets);
  result.y = result.more_y[0];
  result.grad_x = result.more_grad_x[0];
  result.more_y.erase(result.more_y.begin());
  result.more_grad_x.erase(result.more_grad_x.begin());
  return result;
}

}  // namespace askos::apps
