// SPDX-License-Identifier: Apache-2.0
#include "network_setup.hpp"
#include "window_requests.hpp"

#include <askos/actors/metrics_log.hpp>
#include <askos/actors/trainer.hpp>
#include <askos/base/error.hpp>
#include <askos/model/memory.hpp>
#include <askos/model/scalers.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace askos::actors {
namespace {

std::vector<double> tendency_weights(const RunContext& run, bool squared) {
  std::vector<double> deviations;
  std::vector<double> tendencies;
  for (const auto v : run.output_variables) {
    const auto& variable = run.index->info().variables[static_cast<std::size_t>(v)];
    deviations.push_back(variable.statistics.stdev);
    tendencies.push_back(variable.tendency.stdev);
  }
  return model::tendency_weights(deviations, tendencies, std::vector<bool>(deviations.size(), true),
                                 squared);
}

/// Returns one weight per output variable. Throws `Errc::kInvalidInput` if a listed parameter is
/// none of them.
std::vector<double> parameter_weights(const RunContext& run) {
  std::vector<std::string> variables;
  for (const auto v : run.output_variables) {
    variables.push_back(run.index->info().variables[static_cast<std::size_t>(v)].name);
  }
  const auto& listed = run.config.training.parameter_weights;
  for (const auto& [parameter, weight] : listed) {
    const bool known = std::ranges::any_of(variables, [&](const auto& variable) {
      return model::split_name(variable).parameter == parameter;
    });
    if (!known) {
      throw Error(Errc::kInvalidInput, "a weight of a parameter that no output variable has")
          .with("key", "training.parameter_weights." + parameter);
    }
  }
  return model::parameter_weights(variables, listed);
}

std::vector<model::Scaler> make_scalers(const RankContext& rank) {
  const auto& config = rank.run->config;
  const auto num_steps = static_cast<std::size_t>(config.data.num_output_steps);
  std::vector<model::Scaler> scalers{
      model::node_weights(rank.run->graph.data_weights, rank.own_cells.begin,
                          rank.own_cells.size()),
      model::time_weights(std::vector<double>(num_steps, 1.0 / static_cast<double>(num_steps)))};
  if (config.training.variable_weights != VariableWeights::kOne) {
    const bool squared = config.training.variable_weights == VariableWeights::kTendencyVariance;
    scalers.push_back(model::variable_weights(tendency_weights(*rank.run, squared)));
  }
  if (!config.training.parameter_weights.empty()) {
    scalers.push_back(model::variable_weights(parameter_weights(*rank.run)));
  }
  if (const auto interior = own_interior(rank); interior.defined()) {
    scalers.push_back({"limited_area_mask", interior.to(at::kDouble).view({1, 1, -1, 1})});
  }
  return scalers;
}

std::optional<double> if_positive(double value) {
  return value > 0 ? std::optional(value) : std::nullopt;
}

model::TrainerOptions trainer_options(const RankContext& rank) {
  const auto& training = rank.run->config.training;
  return {
      .learning_rate = {.kind = model::LearningRate::Kind::kCosineFromStart,
                        .peak = training.learning_rate,
                        .floor = training.final_learning_rate,
                        .warmup_steps = training.warmup_steps,
                        .total_steps = training.steps},
      .adamw = {.beta1 = training.beta1,
                .beta2 = training.beta2,
                .weight_decay = training.weight_decay},
      .clip = {.value = if_positive(training.clip_value), .norm = if_positive(training.clip_norm)},
      .scalers = make_scalers(rank),
      .loss = {.error = training.loss.error,
               .huber_delta = training.loss.huber_delta,
               .crps_alpha = training.loss.crps_alpha},
      .rollout = rollout_options(rank),
      .average_decay = training.average_decay,
      .precision = rank.run->config.autocast,
  };
}

}  // namespace

Trainer::Trainer(const RankContext& rank,
                 std::shared_ptr<const Snapshot> resume,
                 std::shared_ptr<MetricsLog> metrics,
                 std::shared_ptr<StopGate> gate)
    : sample{*this, "sample", {.dtype = rank.run->config.dtype}},
      report{*this, "report", {.rate = rank.run->config.training.accumulate == 1 ? 1 : 0}},
      snapshot{*this, "snapshot", {.rate = 0}},
      rank_(rank),
      resume_(std::move(resume)),
      metrics_(std::move(metrics)),
      gate_(std::move(gate)) {}

void Trainer::start(dataflow::Context&) {
  network_ = make_network(rank_);
  trainer_ = std::make_unique<model::Trainer>(*network_, *rank_.gradients, trainer_options(rank_));
  if (resume_) {
    trainer_->load_state(resume_->state);
    position_ = resume_->position;
    last_snapshot_ = resume_->step;
    resume_.reset();
  }
}

void Trainer::run(dataflow::Context& context) {
  const auto packet = context.take(sample);
  const auto& batch = packet->batch;
  for (std::size_t b = 0; b < batch.weights.size(); ++b) {
    if (batch.weights[b] > 0) {
      samples_.push_back(packet->times[b]);
    }
  }
  if (++num_accumulated_ < rank_.run->config.training.accumulate) {
    trainer_->accumulate(batch);
    return;
  }
  num_accumulated_ = 0;
  const bool is_longer = batch.target.size(1) > measured_length_;
  const auto result = is_longer ? measured_step(batch) : trainer_->train_step(batch);
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
    throw Error(Errc::kCheckFailed, "loss or gradient is not finite")
        .with("step", result.step)
        .with("loss", result.loss)
        .with("gradient_norm", result.gradient_norm);
  }
  position_ = packet->next;
  context.emit(
      report,
      StepReport{
          .result = result, .samples = std::exchange(samples_, {}), .at = context.clock().now()},
      {.sample = SampleId{result.step}});
  const auto every = rank_.run->config.run.checkpoint_every;
  if (every > 0 && trainer_->step() % every == 0) {
    emit_snapshot(context);
  }
  gate_->agree(*rank_.gradients);
}

void Trainer::finish(dataflow::Context& context) {
  if (trainer_->step() != last_snapshot_) {
    emit_snapshot(context);
  }
}

model::StepResult Trainer::measured_step(const model::Batch& batch) {
  measured_length_ = batch.target.size(1);
  const model::MemoryMeter meter;
  const auto result = trainer_->train_step(batch);
  const auto reading = meter.read();
  io::Metadata::Object rows;
  for (const auto& [part, count] : network_->activation_rows()) {
    rows[part] = count;
  }
  io::Metadata::Object record{{"event", "memory"},
                              {"rank", rank_.mesh.rank()},
                              {"step_peak_bytes", reading.peak_bytes},
                              {"largest_tensor_bytes", reading.largest_bytes},
                              {"own_cells", rank_.own_cells.size()},
                              {"grid_cells", rank_.run->index->info().num_cells()},
                              {"activation_rows", rows}};
  if (shares_edges(network_->config())) {
    const auto plan = plan_training(*network_, rank_);
    record["planned_bytes"] = plan.peak_bytes;
    // Without what is there before the step: parameters, their gradients and moments.
    record["planned_step_peak_bytes"] = plan.peak_bytes - plan.parts.front().kept_bytes;
    record["mapper_chunks"] = std::int64_t{network_->config().encoder.num_chunks};
    record["processor_chunks"] = std::int64_t{network_->config().processor.num_chunks};
  }
  metrics_->write(record);
  return result;
}

void Trainer::emit_snapshot(dataflow::Context& context) {
  if (!rank_.is_root()) {
    return;  // every rank holds the same parameters
  }
  last_snapshot_ = trainer_->step();
  context.emit(
      snapshot,
      Snapshot{.step = trainer_->step(), .position = position_, .state = trainer_->state()});
}

}  // namespace askos::actors
