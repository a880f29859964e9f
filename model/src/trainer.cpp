// SPDX-License-Identifier: Apache-2.0
#include "captured_work.hpp"
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

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
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

at::Tensor copy_of(const at::Tensor& x) {
  return x.to(at::kCPU, x.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
}

/// In float64, but of float32 norms of pieces: all of it as float64 would take twice its memory.
at::Tensor norm_on_device(const at::Tensor& gradient) {
  constexpr std::int64_t kPiece = 1 << 20;
  const at::Tensor norms = at::stack(at::_foreach_norm(gradient.split(kPiece)));
  return at::linalg_vector_norm(norms, 2, {}, false, at::kDouble);
}

bool has_finite_numbers(const StepResult& result) {
  return std::isfinite(result.loss) && std::isfinite(result.gradient_norm);
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

/// What a step that runs as one CUDA graph reads and writes, at the same places each time.
struct RecordedStep {
  Batch batch;
  at::Tensor weights;        // float64 [entry]
  at::Tensor scale;          // float64, 1 / sum of weights
  at::Tensor learning_rate;  // float32
  at::Tensor count;          // float32, number of updates with this one
  at::Tensor loss_and_norm;  // float64 [2]
  CapturedWork work;
};

struct Trainer::Parts {
  Parts(Network& trained, comm::Communicator& all_ranks, TrainerOptions trainer_options)
      : network(trained),
        options(std::move(trainer_options)),
        rollout(network, options.rollout),
        loss_ranks(all_ranks.derive(all_ranks.name() + ".loss")),
        gradient_ranks(all_ranks.derive(all_ranks.name() + ".gradients")),
        gradients(network.parameters(), *gradient_ranks, options.bucket_bytes) {
    for (auto& moment : moments) moment = at::zeros_like(gradients.values());
    for (Scaler& scaler : options.scalers) {
      scaler.values = scaler.values.to(network.parameters().options());
    }
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
    return (sum / static_cast<double>(length)).dot(weights.to(sum.device()));
  }

  /// The batch where the network is; the same tensors if that is where it lies.
  [[nodiscard]] Batch at_network(const Batch& batch) const {
    const auto device = network.parameters().device();
    Batch moved = batch;
    for (at::Tensor* tensor : {&moved.input, &moved.target, &moved.later}) {
      if (tensor->defined()) *tensor = tensor->to(device);
    }
    return moved;
  }

  /// Runs a batch forward and returns its loss; `sums` grows by its loss and weight.
  at::Tensor add_forward(const Batch& given) {
    const Batch batch = at_network(given);
    const at::Tensor weights = weights_of(batch);
    const at::Tensor loss = weighted_loss(batch, weights);
    const auto more = loss_and_weight(loss, weights);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += more[i];
    return loss;
  }

  [[nodiscard]] at::DeviceType device_type() const { return network.parameters().device().type(); }

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

  /// Updates the parameters, unless loss or gradient is not finite. All ranks have the same sums,
  /// so they agree.
  void update(StepResult& result, double scale) {
    if (hides_infinity()) {
      result.gradient_norm = std::numeric_limits<double>::quiet_NaN();
      result.is_finite = false;
    } else if (!gradients.values().is_cpu()) {
      update_on_device(result, scale);
    } else {
      update_in_loops(result, scale);
    }
    if (average.defined() && result.is_finite) {
      average.lerp_(gradients.values(), 1 - options.average_decay);
    }
  }

  /// Bounding by value would hide an infinity.
  [[nodiscard]] bool hides_infinity() const {
    return options.clip.value && !gradients.gradients().isfinite().all().item<bool>();
  }

  /// Whether a step with `batch` does the same each time: one rank, nothing drawn, nothing added
  /// from an earlier batch.
  [[nodiscard]] bool can_record(const Batch& batch) const {
    const auto all = weights_of(batch);
    return gradients.values().is_cuda() && gradients.values().scalar_type() == at::kFloat &&
           !loss_scale && gradient_ranks->size() == 1 && rollout.num_members() == 1 && !has_begun &&
           network.config().noise.kind == NoiseConfig::Kind::kNone && all.sum().item<double>() > 0;
  }

  /// Returns places for a batch of this shape: those of the step before if they fit.
  RecordedStep& places_for(const Batch& batch) {
    const bool fits = recorded && recorded->batch.input.sizes() == batch.input.sizes() &&
                      recorded->batch.target.sizes() == batch.target.sizes();
    if (fits) return *recorded;
    recorded = nullptr;  // gives its memory back before more is taken
    recorded = std::make_unique<RecordedStep>();
    const auto device = network.parameters().device();
    const auto place = [&](const at::Tensor& x) {
      return x.defined() ? at::empty(x.sizes(), x.options().device(device)) : x;
    };
    recorded->batch.input = place(batch.input);
    recorded->batch.target = place(batch.target);
    recorded->batch.later = place(batch.later);
    const auto numbers = at::TensorOptions(at::kDouble).device(device);
    recorded->weights = at::empty({batch.input.size(0)}, numbers);
    recorded->scale = at::empty({}, numbers);
    recorded->learning_rate = at::empty({}, numbers.dtype(at::kFloat));
    recorded->count = at::empty({}, numbers.dtype(at::kFloat));
    recorded->loss_and_norm = at::empty({2}, numbers);
    return *recorded;
  }

  /// A whole step; all of it but the copies of the batch and of three numbers is one CUDA graph.
  void recorded_step(const Batch& batch, StepResult& result) {
    const at::Tensor weights = weights_of(batch);
    const double weight = weights.sum().item<double>();
    RecordedStep& at_device = places_for(batch);
    at_device.batch.input.copy_(batch.input, /*non_blocking=*/true);
    at_device.batch.target.copy_(batch.target, /*non_blocking=*/true);
    if (batch.later.defined()) at_device.batch.later.copy_(batch.later, /*non_blocking=*/true);
    at_device.weights.copy_(weights);
    at_device.scale.fill_(1 / weight);
    at_device.learning_rate.fill_(result.learning_rate);
    at_device.count.fill_(static_cast<double>(++updates));
    at_device.work.run([&] {
      gradients.clear();
      const at::Tensor loss = weighted_loss(at_device.batch, at_device.weights);
      torch::autograd::backward({loss * at_device.scale}, {});
      at_device.loss_and_norm.select(0, 0).copy_(loss.detach());
      update_recorded(at_device);
    });
    const at::Tensor numbers = at_device.loss_and_norm.cpu();
    result.loss = numbers[0].item<double>() / weight;
    result.gradient_norm = numbers[1].item<double>();
    result.is_finite = has_finite_numbers(result);
    if (!result.is_finite) --updates;
  }

  void update_recorded(const RecordedStep& at_device) {
    const c10::AutoGradMode no_grad(false);
    at::Tensor gradient = gradients.gradients();
    at::Tensor values = gradients.values();
    // Bounding by value would hide an infinity: 0 times it is not a number.
    const at::Tensor zero = options.clip.value ? gradient.mul(0).sum() : at::Tensor();
    if (options.clip.value) gradient.clamp_(-*options.clip.value, *options.clip.value);
    at::Tensor norm = norm_on_device(gradient);
    if (options.clip.value) norm = norm + zero;
    at_device.loss_and_norm.select(0, 1).copy_(norm);
    const at::Tensor is_finite = at_device.loss_and_norm.isfinite().all().to(at::kFloat);
    if (options.clip.norm) gradient.mul_((*options.clip.norm / (norm + 1e-6)).clamp_max(1));
    const AdamWOptions& adam = options.adamw;
    at::_fused_adamw_({values}, {gradient}, {moments[0]}, {moments[1]}, {}, {at_device.count},
                      at_device.learning_rate, adam.beta1, adam.beta2, adam.weight_decay,
                      adam.epsilon, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{},
                      /*found_inf=*/1 - is_finite);
    if (average.defined()) average.lerp_(values, (1 - options.average_decay) * is_finite);
  }

  /// `prepare_gradient` and `adamw` as LibTorch's kernels: one pass over the parameters for AdamW.
  void update_on_device(StepResult& result, double scale) {
    const c10::AutoGradMode no_grad(false);
    at::Tensor gradient = gradients.gradients();
    if (scale != 1) gradient.mul_(scale);
    if (options.clip.value) gradient.clamp_(-*options.clip.value, *options.clip.value);
    result.gradient_norm = norm_on_device(gradient).item<double>();
    result.is_finite = has_finite_numbers(result);
    if (!result.is_finite) return;
    if (options.clip.norm) {
      const double shrink = *options.clip.norm / (result.gradient_norm + 1e-6);
      if (shrink < 1) gradient.mul_(shrink);
    }
    const at::Tensor count =
        at::full({}, static_cast<double>(++updates), gradient.options().dtype(at::kFloat));
    const AdamWOptions& adam = options.adamw;
    at::Tensor values = gradients.values();
    at::_fused_adamw_({values}, {gradient}, {moments[0]}, {moments[1]}, {}, {count},
                      result.learning_rate, adam.beta1, adam.beta2, adam.weight_decay, adam.epsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
  }

  void update_in_loops(StepResult& result, double scale) {
    AT_DISPATCH_FLOATING_TYPES(gradients.values().scalar_type(), "update", [&] {
      result.gradient_norm =
          prepare_gradient(entries<scalar_t>(gradients.gradients()), scale, options.clip);
      result.is_finite = has_finite_numbers(result);
      if (!result.is_finite) return;
      adamw<scalar_t>(options.adamw, result.learning_rate, ++updates,
                      entries<scalar_t>(gradients.gradients()),
                      entries<scalar_t>(gradients.values()), entries<scalar_t>(moments[0]),
                      entries<scalar_t>(moments[1]));
    });
  }

  Network& network;
  TrainerOptions options;
  Rollout rollout;
  std::unique_ptr<comm::Communicator> loss_ranks;
  std::unique_ptr<comm::Communicator> gradient_ranks;
  GradientSum gradients;
  std::optional<LossScale> loss_scale;  ///< in float16 only
  std::array<at::Tensor, 2> moments;
  at::Tensor average;                      ///< undefined unless asked for
  std::unique_ptr<RecordedStep> recorded;  ///< on a device only
  bool has_begun = false;
  std::array<double, 2> sums = {};  ///< loss and weight of the step under way, of this rank
  std::int64_t step = 0;
  std::int64_t updates = 0;
};

Trainer::Trainer(Network& network, comm::Communicator& all_ranks, TrainerOptions options) {
  if (options.loss.root || options.loss.per_variable) {
    throw Error(Errc::kInvalidInput, "a training loss is one value and has no root")
        .with("root", options.loss.root)
        .with("per variable", options.loss.per_variable);
  }
  parts_ = std::make_unique<Parts>(network, all_ranks, std::move(options));
}

Trainer::~Trainer() = default;

void Trainer::accumulate(const Batch& batch) {
  const c10::AutoGradMode grad(true);
  const Autocast autocast(parts_->options.precision, parts_->device_type());
  parts_->begin_if_new();
  parts_->run_backward(parts_->add_forward(batch));
}

StepResult Trainer::train_step(const Batch& batch) {
  Parts& parts = *parts_;
  Clock& clock = steady_clock();
  const c10::AutoGradMode grad(true);
  const Autocast autocast(parts.options.precision, parts.device_type());
  const Nanoseconds begin = clock.now();
  if (parts.can_record(batch)) {
    StepResult result = {.step = parts.step,
                         .learning_rate = parts.options.learning_rate.at(parts.step)};
    parts.recorded_step(batch, result);
    ++parts.step;
    result.forward = clock.now() - begin;
    return result;
  }
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
  if (weight > 0 && !result.is_skipped) {
    parts.update(result, 1 / (weight * result.loss_scale));
  } else {
    result.is_finite = std::isfinite(result.loss);
  }
  result.forward = forward_done - begin;
  result.backward = backward_done - forward_done;
  result.reduce = reduced - backward_done;
  result.optimiser = clock.now() - reduced;
  return result;
}

double Trainer::loss(const Batch& batch) {
  const c10::AutoGradMode no_grad(false);
  const Autocast autocast(parts_->options.precision, parts_->device_type());
  const at::Tensor weights = weights_of(batch);
  auto sums =
      parts_->loss_and_weight(parts_->weighted_loss(parts_->at_network(batch), weights), weights);
  if (const comm::WorkPtr sum = parts_->start_sum(sums)) sum->wait();
  return sums[1] > 0 ? sums[0] / sums[1] : 0;
}

NamedTensors Trainer::state(int shard, int num_shards) const {
  NamedTensors views = parts_->network.parameters().state();
  const auto& parameters = parts_->network.parameters().all();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    for (std::size_t m = 0; m < 2; ++m) {
      views[kMoments[m] + parameters[i].name] = parts_->gradients.part(parts_->moments[m], i);
    }
    if (parts_->average.defined()) {
      views[kAverage + parameters[i].name] = parts_->gradients.part(parts_->average, i);
    }
  }
  views[kStep] = at::scalar_tensor(parts_->step, at::kLong);
  views[kUpdates] = at::scalar_tensor(parts_->updates, at::kLong);
  if (parts_->loss_scale) {
    const auto& [factor, num_accepted] = parts_->loss_scale->state();
    views[kLossScale] = at::tensor({factor, static_cast<double>(num_accepted)}, at::kDouble);
  }

  std::int64_t total = 0;
  for (const auto& [name, view] : views) total += static_cast<std::int64_t>(view.nbytes());
  NamedTensors own;
  std::int64_t before = 0;
  for (const auto& [name, view] : views) {
    const auto size = static_cast<std::int64_t>(view.nbytes());
    // A tensor goes where its middle lies; only its owner copies it.
    const auto owner =
        std::min<std::int64_t>((before + size / 2) * num_shards / total, num_shards - 1);
    if (owner == shard) own[name] = copy_of(view);
    before += size;
  }
  return own;
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

void Trainer::go_back_to(const NamedTensors& state) {
  const auto step = parts_->step;
  load_state(state);
  parts_->step = step;
}

std::string Trainer::find_not_finite() const {
  const auto& parameters = parts_->network.parameters().all();
  for (const auto* what : {"parameter ", "gradient of "}) {
    const auto& flat = what[0] == 'p' ? parts_->gradients.values() : parts_->gradients.gradients();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!parts_->gradients.part(flat, i).isfinite().all().item<bool>()) {
        return what + parameters[i].name;
      }
    }
  }
  return {};
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

void Trainer::set_learning_rate(const LearningRate& schedule) {
  parts_->options.learning_rate = schedule;
}

std::int64_t Trainer::step() const noexcept {
  return parts_->step;
}

}  // namespace askos::model
