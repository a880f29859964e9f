// SPDX-License-Identifier: Apache-2.0
#include "network_setup.hpp"

#include <askos/actors/forecaster.hpp>
#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <algorithm>

namespace askos::actors {
namespace {

/// Position of `name` in `list`, or -1.
std::int64_t position_of(const std::vector<std::string>& list, const std::string& name) {
  const auto found = std::ranges::find(list, name);
  return found == list.end() ? -1 : found - list.begin();
}

/// [.., output var]: the outputs' values in the input; zero, the mean, for what is no input.
at::Tensor outputs_in(const at::Tensor& input, const model::Variables& variables) {
  std::vector<at::Tensor> columns;
  for (const auto& name : variables.output) {
    const auto at = position_of(variables.input, name);
    columns.push_back(at < 0 ? at::zeros_like(input.select(-1, 0)) : input.select(-1, at));
  }
  return at::stack(columns, -1);
}

/// The parameters of a snapshot without the optimiser's part of it.
model::NamedTensors weights_of(const Snapshot& snapshot) {
  model::NamedTensors weights;
  for (const auto& [name, tensor] : snapshot.state) {
    if (!name.starts_with("optimiser.")) {
      weights[name] = tensor;
    }
  }
  return weights;
}

}  // namespace

Forecaster::Forecaster(const RankContext& rank, std::shared_ptr<const Snapshot> weights, Mode mode)
    : sample{*this, "sample", {.dtype = rank.run->config.dtype}},
      prediction{*this, "prediction", {.dtype = rank.run->config.dtype}},
      rank_(rank),
      weights_(std::move(weights)),
      mode_(mode) {}

void Forecaster::start(dataflow::Context&) {
  network_ = make_network(rank_);
  network_->parameters().load(weights_of(*weights_));
  weights_.reset();
}

at::Tensor Forecaster::next_input(const at::Tensor& forecast, const at::Tensor& forcings) const {
  const auto& variables = rank_.run->config.model.variables;
  std::vector<at::Tensor> columns;
  for (std::size_t v = 0; v < variables.input.size(); ++v) {
    const auto at = position_of(variables.output, variables.input[v]);
    columns.push_back(at < 0 ? forcings.select(-1, static_cast<std::int64_t>(v))
                             : forecast.select(-1, at));
  }
  const auto newest = at::stack(columns, -1);  // [sample, output step, cell, input var]
  const auto rolled = at::cat({state_, newest}, 1);
  return rolled.narrow(1, rolled.size(1) - state_.size(1), state_.size(1)).contiguous();
}

void Forecaster::run(dataflow::Context& context) {
  const auto packet = context.take(sample);
  if (mode_ == Mode::kFromInput || !state_.defined()) {
    state_ = packet->batch.input;
  } else {
    state_ = next_input(last_forecast_, packet->batch.input);
  }
  last_forecast_ = network_->predict(state_.contiguous());
  auto meta = packet.meta;
  meta.cells = rank_.own_cells;
  context.emit(prediction,
               Prediction{.forecast = last_forecast_,
                          .truth = packet->batch.target,
                          .persistence = outputs_in(state_.select(1, state_.size(1) - 1),
                                                    rank_.run->config.model.variables),
                          .weights = packet->batch.weights,
                          .times = packet->times,
                          .cells = rank_.own_cells},
               meta);
}

}  // namespace askos::actors
