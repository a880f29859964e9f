// SPDX-License-Identifier: Apache-2.0
#include "network_setup.hpp"

#include <askos/actors/forecaster.hpp>
#include <askos/model/autocast.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

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

}  // namespace

Forecaster::Forecaster(const RankContext& rank, std::shared_ptr<const Snapshot> weights, Mode mode)
    : sample{*this, "sample", {.dtype = rank.run->config.dtype}},
      prediction{*this, "prediction", {.dtype = rank.run->config.dtype}},
      rank_(rank),
      weights_(std::move(weights)),
      mode_(mode) {}

void Forecaster::start(dataflow::Context&) {
  network_ = make_network(rank_);
  network_->parameters().load(model::forecast_weights(weights_->state));
  weights_.reset();
  rollout_ = std::make_unique<model::Rollout>(*network_, rollout_options(rank_));
}

at::Tensor Forecaster::forecast_all(const model::Batch& batch) {
  const std::int64_t steps = rank_.run->config.data.num_output_steps;
  const auto device = network_->parameters().device();
  rollout_->start(batch.input.to(device), batch.samples);
  std::vector<at::Tensor> forecasts;
  for (std::int64_t done = 0; done < batch.target.size(1); done += steps) {
    if (done > 0) {
      rollout_->advance(batch.later.narrow(1, done - steps, steps).to(device));
    }
    forecasts.push_back(rollout_->forecast());
  }
  return at::cat(forecasts, 1).cpu();
}

at::Tensor Forecaster::forecast_next(const model::Batch& batch) {
  const auto device = network_->parameters().device();
  if (has_begun_) {
    rollout_->advance(batch.later.defined() ? batch.later.to(device) : batch.later);
  } else {
    rollout_->start(batch.input.to(device), batch.samples);
  }
  has_begun_ = true;
  return rollout_->forecast().cpu();
}

void Forecaster::run(dataflow::Context& context) {
  const c10::AutoGradMode no_grad(false);
  const model::Autocast autocast(rank_.run->config.autocast,
                                 network_->parameters().device().type());
  const auto packet = context.take(sample);
  const auto& batch = packet->batch;
  Prediction next{.weights = batch.weights, .times = packet->times, .cells = rank_.own_cells};
  next.forecast = mode_ == Mode::kFromInput ? forecast_all(batch) : forecast_next(batch);
  if (rollout_->num_members() > 1) {
    next.members = next.forecast;
    next.forecast = next.members.mean(2);
  }
  if (!rollout_->speaks()) {
    next.weights.assign(next.weights.size(), 0);  // the ensemble's first rank counts them
  }
  if (mode_ == Mode::kFromInput) {
    next.truth = batch.target;
    next.persistence = outputs_in(batch.input.select(1, batch.input.size(1) - 1),
                                  rank_.run->config.model.variables);
  }
  auto meta = packet.meta;
  meta.cells = rank_.own_cells;
  context.emit(prediction, std::move(next), meta);
}

}  // namespace askos::actors
