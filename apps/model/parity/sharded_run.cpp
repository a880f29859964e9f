// SPDX-License-Identifier: Apache-2.0
#include "parity/sharded_run.hpp"

#include "parity/autocast.hpp"
#include "parity/ranks.hpp"

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
    gradients[name] = tensor.grad().defined() ? tensor.grad() : at::zeros_like(tensor);
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

Result run(const Problem& problem, const Layout& layout, bool float64) {
  const auto dtype = float64 ? at::kDouble : at::kFloat;
  const model::ModelConfig config = with_layout(problem.config, layout);
  std::vector<at::Tensor> y(static_cast<std::size_t>(layout.num_ranks));
  std::vector<at::Tensor> grad_x(y.size());
  std::vector<double> losses(y.size());
  std::vector<model::NamedTensors> gradients(y.size());
  run_ranks(layout.num_ranks, [&](comm::Communicator& ranks) {
    const Autocast autocast(layout.bfloat16);
    model::Network network(config, problem.graph, ranks, {.float64 = float64, .seed = 3});
    if (!problem.weights.empty()) {
      network.parameters().load(problem.weights);
    }
    const comm::Range own = network.own_data();
    const auto shard_of = [&](const at::Tensor& whole) {
      return whole.narrow(2, own.begin, own.size()).to(dtype);
    };
    at::Tensor x = shard_of(problem.x).clone().set_requires_grad(true);
    const at::Tensor prediction = network.forward(x);
    const auto scalers = std::vector<model::Scaler>{
        {"node_weights", problem.node_factors.narrow(0, own.begin, own.size()).view({1, 1, -1, 1})},
        model::variable_weights(problem.variable_factors),
        model::time_weights(problem.time_factors)};
    const at::Tensor loss =
        model::squared_error(prediction, shard_of(problem.target), scalers).mean();
    torch::autograd::backward({loss}, {});
    const auto r = static_cast<std::size_t>(ranks.rank());
    y[r] = prediction.detach();
    grad_x[r] = x.grad();
    losses[r] = loss.item<double>();
    gradients[r] = gradients_of(network);
  });
  Result result = {
      .y = at::cat(y, 2), .grad_x = at::cat(grad_x, 2), .grad_parameters = sum(gradients)};
  for (const double part : losses) {
    result.loss += part;
  }
  return result;
}

}  // namespace askos::apps
