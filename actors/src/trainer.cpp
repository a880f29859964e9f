// SPDX-License-Identifier: Apache-2.0
#include "network_setup.hpp"
#include "stored_calls.hpp"
#include "stored_tensors.hpp"
#include "window_requests.hpp"

#include <askos/actors/metrics_log.hpp>
#include <askos/actors/trainer.hpp>
#include <askos/base/error.hpp>
#include <askos/dataflow/stage_catalog.hpp>
#include <askos/model/memory.hpp>
#include <askos/model/scalers.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace askos::actors {
namespace {

const std::string kStart = "start/";      // what the making of the network received
const std::string kTrainer = "trainer/";  // network and optimiser
const std::string kRates = "peak_and_final_learning_rate";

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

model::LearningRate schedule_of(const TrainingConfig& training) {
  return {.kind = model::LearningRate::Kind::kCosineFromStart,
          .peak = training.learning_rate,
          .floor = training.final_learning_rate,
          .warmup_steps = training.warmup_steps,
          .total_steps = training.steps};
}

model::TrainerOptions trainer_options(const RankContext& rank,
                                      const model::LearningRate& schedule) {
  const auto& training = rank.run->config.training;
  return {
      .learning_rate = schedule,
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
      gate_(std::move(gate)),
      learning_rate_(schedule_of(rank.run->config.training)) {
  if (rank_.replay != nullptr) return;
  calls_ = std::make_shared<comm::CallRecorder>();
  for (auto* const ranks : {&rank_.model, &rank_.members, &rank_.gradients}) {
    // A rank that is alone in a group can be so in a replay as well.
    if ((*ranks)->size() > 1) *ranks = comm::record_calls(*ranks, calls_);
  }
}

void Trainer::start(dataflow::Context&) {
  if (calls_ != nullptr) calls_->start();
  network_ = make_network(rank_);
  trainer_ = std::make_unique<model::Trainer>(*network_, *rank_.gradients,
                                              trainer_options(rank_, learning_rate_));
  if (resume_) {
    trainer_->load_state(resume_->state);
    position_ = resume_->position;
    last_snapshot_ = resume_->step;
    resume_.reset();
  }
  if (calls_ != nullptr) start_calls_ = calls_->stop();
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
  const bool is_longer = metrics_ != nullptr && batch.target.size(1) > measured_length_;
  const auto result = is_longer ? measured_step(batch) : trainer_->train_step(batch);
  if (result.is_finite) {
    loss_sum_ += result.loss;
    ++num_losses_;
  } else {
    deal_with(result, batch);
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

dataflow::Arguments Trainer::arguments() const {
  return {{"learning_rate", learning_rate_.peak}, {"final_learning_rate", learning_rate_.floor}};
}

dataflow::ArgumentChange Trainer::change_argument(const std::string& name,
                                                  const dataflow::Argument& value) {
  const auto before = arguments();
  if (!before.contains(name)) {
    Error error(Errc::kNotFound, "argument cannot change while the stage runs");
    error.with("argument", name).with("can", "learning_rate, final_learning_rate");
    throw error;
  }
  const auto* const whole = std::get_if<std::int64_t>(&value);
  const auto* const number = std::get_if<double>(&value);
  const double rate = whole != nullptr    ? static_cast<double>(*whole)
                      : number != nullptr ? *number
                                          : std::nan("");
  if (!(rate >= 0 && std::isfinite(rate))) {
    throw Error(Errc::kInvalidInput, "learning rate is not a number of at least 0")
        .with("argument", name)
        .with("found", dataflow::to_toml(value));
  }
  const bool is_peak = name == "learning_rate";
  return {.before = before.at(name), .apply = [this, is_peak, rate] {
            (is_peak ? learning_rate_.peak : learning_rate_.floor) = rate;
            if (trainer_ != nullptr) trainer_->set_learning_rate(learning_rate_);
          }};
}

std::optional<dataflow::StoredArrays> Trainer::save_state() const {
  // Gradients of a step that has begun cannot be had.
  if (trainer_ == nullptr || num_accumulated_ > 0) return std::nullopt;
  auto arrays = stored_calls(kStart, start_calls_);
  for (const auto& [name, tensor] : trainer_->state()) {
    arrays.push_back(stored_tensor(kTrainer + name, tensor));
  }
  const std::array rates{learning_rate_.peak, learning_rate_.floor};
  arrays.push_back(dataflow::stored_numbers(kRates, rates));
  const std::array place{position_.epoch, position_.sample, last_snapshot_};
  arrays.push_back(dataflow::stored_integers("epoch_sample_snapshot", place));
  return arrays;
}

void Trainer::load_state(const dataflow::StoredArrays& state) {
  model::NamedTensors tensors;
  for (const auto& array : state) {
    if (array.name.starts_with(kTrainer)) {
      tensors[array.name.substr(kTrainer.size())] = tensor_of(array);
    }
  }
  trainer_->load_state(tensors);
  const auto place = dataflow::integers_of(state, "epoch_sample_snapshot");
  if (place.size() != 3) throw Error(Errc::kCorruptData, "recorded trainer lacks its place");
  position_ = {.epoch = place[0], .sample = place[1]};
  last_snapshot_ = place[2];
  const auto rates = dataflow::numbers_of(state, kRates);
  if (rates.size() != 2) throw Error(Errc::kCorruptData, "recorded trainer lacks its rates");
  learning_rate_.peak = rates[0];
  learning_rate_.floor = rates[1];
  trainer_->set_learning_rate(learning_rate_);
}

void Trainer::keep_received() {
  if (calls_ != nullptr) calls_->start();
}

dataflow::StoredArrays Trainer::take_received() {
  return calls_ == nullptr ? dataflow::StoredArrays{} : stored_calls("", calls_->stop());
}

void Trainer::supply_received(const dataflow::StoredArrays& received) {
  if (rank_.replay != nullptr) rank_.replay->supply(calls_of("", received));
}

void Trainer::emit_snapshot(dataflow::Context& context) {
  last_snapshot_ = trainer_->step();
  const auto begin = context.clock().now();
  Snapshot next{
      .step = last_snapshot_,
      .position = position_,
      .state = trainer_->state(rank_.mesh.rank(), rank_.run->config.run.ranks),
      .loss = num_losses_ > 0 ? loss_sum_ / static_cast<double>(num_losses_) : std::nan("")};
  next.copied = context.clock().now() - begin;
  loss_sum_ = 0;
  num_losses_ = 0;
  context.emit(snapshot, std::move(next));
}

}  // namespace askos::actors
