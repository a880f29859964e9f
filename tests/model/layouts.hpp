// SPDX-License-Identifier: Apache-2.0
// Runs one problem on any layout of ranks, chunks and segments, and compares the results.
#pragma once

#include "ranks.hpp"

#include <askos/model/loss.hpp>
#include <askos/model/network.hpp>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

namespace askos::model::test {

struct Problem {
  ModelConfig config;
  Graph graph;
  NamedTensors weights;     // empty: as the seed makes them
  at::Tensor x;             // [batch, time, grid, variable]
  at::Tensor target;        // [batch, time, grid, variable]
  at::Tensor node_factors;  // [grid]
  std::vector<double> variable_factors;
  std::vector<double> time_factors;
};

struct Layout {
  std::string name = {};
  int num_ranks = 1;
  int chunks = 0;
  int segments = 0;
  AttentionBackend attention = AttentionBackend::kLoops;
};

inline void PrintTo(const Layout& layout, std::ostream* out) {
  *out << layout.name;
}

struct Result {
  at::Tensor y;  // [batch, time, grid, variable]
  double loss = 0;
  at::Tensor grad_x;
  NamedTensors grad_parameters;  // summed over ranks
};

/// Runs forward, loss and backward and puts the ranks' parts together.
inline Result run(const Problem& problem, const Layout& layout, bool float64) {
  const auto dtype = float64 ? at::kDouble : at::kFloat;
  ModelConfig config = problem.config;
  config.attention = layout.attention;
  config.encoder.num_chunks = config.decoder.num_chunks = layout.chunks;
  config.processor.num_chunks = layout.segments;
  std::vector<at::Tensor> y(static_cast<std::size_t>(layout.num_ranks));
  std::vector<at::Tensor> grad_x(y.size());
  std::vector<double> losses(y.size());
  std::vector<NamedTensors> gradients(y.size());
  Result result;
  run_ranks(layout.num_ranks, [&](comm::Communicator& ranks) {
    Network network(config, problem.graph, ranks, {.float64 = float64, .seed = 3});
    if (!problem.weights.empty()) network.parameters().load(problem.weights);
    const comm::Range own = network.own_data();
    const auto shard_of = [&](const at::Tensor& whole) {
      return whole.narrow(2, own.begin, own.size()).to(dtype);
    };
    at::Tensor x = shard_of(problem.x).clone().set_requires_grad(true);
    const at::Tensor prediction = network.forward(x);
    const auto scalers = std::vector<Scaler>{
        {"node_weights", problem.node_factors.narrow(0, own.begin, own.size()).view({1, 1, -1, 1})},
        variable_weights(problem.variable_factors),
        time_weights(problem.time_factors)};
    const at::Tensor loss = squared_error(prediction, shard_of(problem.target), scalers).mean();
    torch::autograd::backward({loss}, {});
    const auto r = static_cast<std::size_t>(ranks.rank());
    y[r] = prediction.detach();
    grad_x[r] = x.grad();
    losses[r] = loss.item<double>();
    for (const auto& [name, tensor] : network.parameters().all()) {
      gradients[r][name] = tensor.grad().defined() ? tensor.grad() : at::zeros_like(tensor);
    }
  });
  for (std::size_t r = 0; r < y.size(); ++r) {  // sums in rank order, as the product's
    result.loss += losses[r];
    for (const auto& [name, part] : gradients[r]) {
      at::Tensor& sum = result.grad_parameters[name];
      sum = sum.defined() ? sum + part : part;
    }
  }
  result.y = at::cat(y, 2);
  result.grad_x = at::cat(grad_x, 2);
  return result;
}

inline double max_abs(const at::Tensor& x) {
  return x.numel() == 0 ? 0 : x.abs().max().item<double>();
}

inline double difference(const at::Tensor& ours, const at::Tensor& reference) {
  return max_abs(ours.to(at::kDouble) - reference.to(at::kDouble));
}

/// Rounding in float64 alone: sums of at most some thousand terms, in another order.
constexpr double kSameNumbers = 1e-12;

inline void expect_same(const Result& result, const Result& expected) {
  EXPECT_LE(difference(result.y, expected.y), kSameNumbers * max_abs(expected.y));
  EXPECT_LE(std::abs(result.loss / expected.loss - 1), kSameNumbers);
  EXPECT_LE(difference(result.grad_x, expected.grad_x), kSameNumbers * max_abs(expected.grad_x));
  double largest = 0;
  for (const auto& [name, gradient] : expected.grad_parameters) {
    largest = std::max(largest, max_abs(gradient));
  }
  for (const auto& [name, gradient] : expected.grad_parameters) {
    // A gradient that vanishes analytically is compared with the largest entry of all.
    const double scale = std::max(max_abs(gradient), 1e-3 * largest);
    EXPECT_LE(difference(result.grad_parameters.at(name), gradient), kSameNumbers * scale) << name;
  }
}

}  // namespace askos::model::test
