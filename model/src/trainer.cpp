// SPDX-License-Identifier: Apache-2.0
#include "collectives.hpp"
#include "gradients.hpp"
#include "loss_scale.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>
#include <numeric>
#include <optional>
#include <span>

namespace askos::model {
namespace {

const std::string kOptimiser = "optimiser.";
const std::string kAverage = "optimiser.average.";
const std::string kMoments[] = {"optimiser.first_moment.", "optimiser.second_moment."};
const std::string kStep = "optimiser.step";
const std::string kUpdates = "optimiser.updates";
const std::string kLossScale = "optimiser.loss_scale";

template <typename T>
std::span<T> entries(const at::Tensor& flat) {
  return {flat.data_ptr<T>(), static_cast<std::size_t>(flat.numel())};
}

at::Tensor weights_of(const Batch& batch) {
  const std::int64_t size = batch.input.size(0);
  if (batch.weights.empty()) return at::ones({size}, at::kDouble);
  if (static_cast<std::int64_t>(batch.weights.size()) != size) {
    throw Error(Errc::kShapeMismatch, "one weight per batch entry is needed")
        .with("weights", batch.weights.size())
        .with("batch", size);
  }
  return at::tensor(batch.weights, at::kDouble);
}

}  // namespace

struct Trainer::Parts {
  Parts(Network& trained, comm::Communicator& all_ranks, TrainerOptions trainer_options)
      : network(trained),
        options(std::move(trainer_options)),
        rollout(network, options.rollout),
        loss_ranks(all_ranks.derive(all_ranks.name() + ".loss")),
        gradient_ranks(all_ranks.derive(all_ranks.name() + ".gradients")),
        gradients(network.parameters(), *gradient_ranks, options.bucket_bytes) {
    for (auto& moment : moments) moment = at::zeros_like(gradients.values());
    if (options.average_decay > 0) average = gradients.values().clone();
    if (options.precision == Precision::kFloat16) loss_scale.emplace();
  }

  /// Sum over batch entries of weight times loss, this rank's part; differentiable.
  [[nodiscard]] at::Tensor weighted_loss(const Batch& batch, const at::Tensor& weights) {
    const std::int64_t steps = network.config().num_output_steps;
    const std::int64_t length = batch.target.size(1) / steps;
    if (length < 1 || batch.target.size(1) % steps != 0) {
      throw Error(Errc::kShapeMismatch, "target is not a whole number of forecasts long")
          .with("steps of a forecast", steps)
          .with("found", batch.target.size(1));
    }
    rollout.start(batch.input, batch.samples, step);
    at::Tensor sum;
    for (std::int64_t i = 0; i < length; ++i) {
      const auto now = [&](const at::Tensor& all) {
        return all.defined() ? all.narrow(1, i * steps, steps) : all;
      };
      const at::Tensor error =
          partial_loss(rollout.forecast(), now(batch.target), options.scalers, options.loss);
      sum = sum.defined() ? sum + error : error;
      if (i + 1 < length) rollout.advance(now(batch.later));
    }
    return (sum / static_cast<double>(length)).dot(weights);
  }

  /// Runs a batch forward and returns its loss; `sums` grows by its loss and weight.
  at::Tensor add_forward(const Batch& batch) {
    const at::Tensor weights = weights_of(batch);
    const at::Tensor loss = weighted_loss(batch, weights);
    const auto more = loss_and_weight(loss, weights);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += more[i];
    return loss;
  }

  [[nodiscard]] double loss_factor() const { return loss_scale ? loss_scale->state().factor : 1; }

  void run_backward(const at::Tensor& loss) const {
    torch::autograd::backward({loss_scale ? loss * loss_factor() : loss}, {});
  }

  /// Tells whether the sums of gradients may be used. Equal on all ranks, as the sums are.
  bool accept_gradients() {
    return !loss_scale || loss_scale->accept(gradients.gradients().isfinite().all().item<bool>());
  }

  /// Gradients of a new step begin at zero.
  void begin_if_new() {
    if (!has_begun) {
      gradients.clear();
      sums = {};
    }
    has_begun = true;
  }

  /// Adds the loss and the weights of all ranks up, in place; a model's weights count once.
  [[nodiscard]] comm::WorkPtr start_sum(std::array<double, 2>& loss_and_weight) const {
    if (loss_ranks->size() == 1) return nullptr;
    return loss_ranks->all_reduce({loss_and_weight.data(), 2, DType::kFloat64});
  }
  [[nodiscard]] std::array<double, 2> loss_and_weight(const at::Tensor& loss,
                                                      const at::Tensor& weights) const {
    if (!rollout.speaks()) return {};
    const bool counts = network.plan().rank == 0;
    return {loss.item<double>(), counts ? weights.sum().item<double>() : 0};
  }

  void update(StepResult& result, double scale) {
    AT_DISPATCH_FLOATING_TYPES(gradients.values().scalar_type(), "update", [&] {
      result.gradient_norm =
          prepare_gradient(entries<scalar_t>(gradients.gradients()), scale, options.clip);
      adamw<scalar_t>(options.adamw, result.learning_rate, ++updates,
                      entries<scalar_t>(gradients.gradients()),
                      entries<scalar_t>(gradients.values()), entries<scalar_t>(moments[0]),
                      entries<scalar_t>(moments[1]));
    });
    if (average.defined()) average.lerp_(gradients.values(), 1 - options.average_decay);
  }

  Network& network;
  TrainerOptions options;
  Rollout rollout;
  std::unique_ptr<comm::Communicator> loss_ranks;
  std::unique_ptr<comm::Communicator> gradient_ranks;
  GradientSum gradients;
  std::optional<LossScale> loss_scale;  ///< in float16 only
  std::array<at::Tensor, 2> moments;
  at::Tensor average;  ///< undefined unless asked for
  bool has_begun = false;
  std::array<double, 2> sums = {};  ///< loss and weight of the step under way, of this rank
  std::int64_t step = 0;
  std::int64_t updates = 0;
};

Trainer::Trainer(Network& network, comm::Communicator& all_ranks, TrainerOptions options)
    : parts_(std::make_unique<Parts>(network, all_ranks, std::move(options))) {}

Trainer::~Trainer() = default;

void Trainer::accumulate(const Batch& batch) {
  const c10::AutoGradMode grad(true);
  const Autocast autocast(parts_->options.precision);
  parts_->begin_if_new();
  parts_->run_backward(parts_->add_forward(batch));
}

StepResult Trainer::train_step(const Batch& batch) {
  Parts& parts = *parts_;
  Clock& clock = steady_clock();
  const c10::AutoGradMode grad(true);
  const Autocast autocast(parts.options.precision);
  const Nanoseconds begin = clock.now();
  parts.begin_if_new();
  const at::Tensor loss = parts.add_forward(batch);
  const comm::WorkPtr loss_sum = parts.start_sum(parts.sums);
  const Nanoseconds forward_done = clock.now();

  parts.gradients.start();
  parts.run_backward(loss);
  const Nanoseconds backward_done = clock.now();
  parts.gradients.finish();
  if (loss_sum) loss_sum->wait();
  const Nanoseconds reduced = clock.now();

  const auto [total, weight] = parts.sums;
  parts.has_begun = false;
  StepResult result = {.step = parts.step,
                       .loss = weight > 0 ? total / weight : 0,
                       .learning_rate = parts.options.learning_rate.at(parts.step),
                       .loss_scale = parts.loss_factor()};
  ++parts.step;
  result.is_skipped = weight > 0 && !parts.accept_gradients();
  if (weight > 0 && !result.is_skipped) parts.update(result, 1 / (weight * result.loss_scale));
  result.forward = forward_done - begin;
  result.backward = backward_done - forward_done;
  result.reduce = reduced - backward_done;
  result.optimiser = clock.now() - reduced;
  return result;
}

double Trainer::loss(const Batch& batch) {
  const c10::AutoGradMode no_grad(false);
  const Autocast autocast(parts_->options.precision);
  const at::Tensor weights = weights_of(batch);
  auto sums = parts_->loss_and_weight(parts_->weighted_loss(batch, weights), weights);
  if (const comm::WorkPtr sum = parts_->start_sum(sums)) sum->wait();
  return sums[1] > 0 ? sums[0] / sums[1] : 0;
}

NamedTensors Trainer::state() const {
  NamedTensors state = parts_->network.parameters().state();
  const auto& parameters = parts_->network.parameters().all();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    for (std::size_t m = 0; m < 2; ++m) {
      state[kMoments[m] + parameters[i].name] =
          parts_->gradients.part(parts_->moments[m], i).clone();
    }
  }
  for (std::size_t i = 0; parts_->average.defined() && i < parameters.size(); ++i) {
    state[kAverage + parameters[i].name] = parts_->gradients.part(parts_->average, i).clone();
  }
  state[kStep] = at::scalar_tensor(parts_->step, at::kLong);
  state[kUpdates] = at::scalar_tensor(parts_->updates, at::kLong);
  if (parts_->loss_scale) {
    const auto& [factor, num_accepted] = parts_->loss_scale->state();
    state[kLossScale] = at::tensor({factor, static_cast<double>(num_accepted)}, at::kDouble);
  }
  return state;
}

void Trainer::load_state(const NamedTensors& state) {
  NamedTensors weights = state;
  const auto take = [&](const std::string& name, at::IntArrayRef shape) {
    const auto found = weights.extract(name);
    if (found.empty() || found.mapped().sizes() != shape) {
      throw Error(Errc::kInvalidInput, "checkpoint does not fit the optimiser")
          .with("missing_or_misshapen", name);
    }
    return found.mapped();
  };
  const auto& parameters = parts_->network.parameters().all();
  std::array<std::vector<at::Tensor>, 2> moments;
  for (std::size_t m = 0; m < 2; ++m) {
    for (const auto& entry : parameters) {
      moments[m].push_back(take(kMoments[m] + entry.name, entry.tensor.sizes()));
    }
  }
  std::vector<at::Tensor> averages;  // a state without them begins at its parameters
  if (weights.contains(kAverage + parameters.front().name)) {
    for (const auto& entry : parameters) {
      averages.push_back(take(kAverage + entry.name, entry.tensor.sizes()));
    }
  }
  const auto step = take(kStep, {}).item<std::int64_t>();
  const auto updates = take(kUpdates, {}).item<std::int64_t>();
  LossScale::State scale;  // a state without it begins anew
  if (weights.contains(kLossScale)) {
    const at::Tensor stored = take(kLossScale, {2});
    scale = {stored[0].item<double>(), static_cast<std::int64_t>(stored[1].item<double>())};
  }
  parts_->network.parameters().load(weights);  // what is left; nothing changed before
  for (std::size_t m = 0; m < 2; ++m) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parts_->gradients.part(parts_->moments[m], i).copy_(moments[m][i]);
    }
  }
  if (parts_->average.defined()) {
    parts_->average.copy_(parts_->gradients.values());
    for (std::size_t i = 0; i < averages.size(); ++i) {
      parts_->gradients.part(parts_->average, i).copy_(averages[i]);
    }
  }
  if (parts_->loss_scale) parts_->loss_scale->set_state(scale);
  parts_->step = step;
  parts_->updates = updates;
}

NamedTensors forecast_weights(const NamedTensors& state) {
  NamedTensors weights;
  for (const auto& [name, tensor] : state) {
    if (name.starts_with(kAverage)) {
      weights[name.substr(kAverage.size())] = tensor;
    } else if (!name.starts_with(kOptimiser)) {
      weights.try_emplace(name, tensor);
    }
  }
  return weights;
}

std::int64_t Trainer::step() const noexcept {
  return parts_->step;
}

}  // namespace askos::model
