// SPDX-License-Identifier: Apache-2.0
#include "parity/training_case.hpp"

#include "parity/json_object.hpp"
#include "parity/ranks.hpp"

#include <askos/base/error.hpp>
#include <askos/model/loss.hpp>
#include <askos/model/trainer.hpp>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;

/// Positions of variables along the last axes, by role.
class Positions {
 public:
  Positions(const ModelCase& model, at::Device device) : model_(model), device_(device) {}
  [[nodiscard]] at::Tensor operator()(const char* name) const {
    const JsonObject json(model_.json, (model_.folder / "model.json").string() + ": ");
    return at::tensor(json.object("variables").get<std::vector<std::int64_t>>(name), at::kLong)
        .to(device_);
  }

 private:
  const ModelCase& model_;
  at::Device device_;
};

/// The factors of the loss on one rank's shard.
std::vector<model::Scaler> scalers_of(const TensorFile& io, comm::Range own) {
  return {{"node_weights",
           io.at("loss.node_weights", 1).narrow(0, own.begin, own.size()).view({1, 1, -1, 1})},
          model::variable_weights(doubles(io.at("loss.variable_weights", 1))),
          model::time_weights(doubles(io.at("loss.time_weights", 1)))};
}

at::TensorOptions tensor_options(const ParityOptions& options) {
  return at::TensorOptions(options.dtype == DType::kFloat64 ? at::kDouble : at::kFloat)
      .device(options.device);
}

/// Runs `num_steps` steps, each from the forecasts before it, and goes back through all of them.
/// Returns by rank: inputs, outputs and loss of each step, and the gradients.
std::vector<model::NamedTensors> roll_out(const ModelCase& model,
                                          const TensorFile& stored,
                                          std::int64_t num_steps,
                                          const ParityOptions& options) {
  const Positions positions(model, options.device);
  const std::int64_t steps_in = model.config.num_input_steps;
  const std::int64_t steps_out = model.config.num_output_steps;
  const std::int64_t kept = std::min(steps_in, steps_out);
  const at::Tensor whole = stored.at("batch", 5).squeeze(2);
  const auto config = with_layout(model.config, make_layout(model, options));
  return collect_from_ranks(options.ranks, [&](comm::Communicator& ranks) {
    model::NamedTensors found;
    model::Network network(config, model.graph, ranks,
                           {.float64 = options.dtype == DType::kFloat64, .device = options.device});
    network.parameters().load(model.weights);
    const comm::Range own = network.own_data();
    const at::Tensor batch = whole.narrow(2, own.begin, own.size()).to(tensor_options(options));
    const model::LossTerm term = {.scalers = scalers_of(stored, own), .options = read_loss(model)};
    at::Tensor x = batch.narrow(1, 0, steps_in).index_select(3, positions("data_input_full"));
    at::Tensor total;
    for (std::int64_t s = 0; s < num_steps; ++s) {
      const at::Tensor y = network.forward(x);
      const std::int64_t first = steps_in + s * steps_out;
      const at::Tensor truth = batch.narrow(1, first, steps_out);
      const at::Tensor loss =
          model::total_loss(y, truth.index_select(3, positions("data_output_full")), {term}, ranks);
      found["x " + std::to_string(s)] = x.detach().cpu();
      found["y " + std::to_string(s)] = y.detach().cpu();
      found["loss " + std::to_string(s)] = loss.detach().to(at::kCPU, at::kDouble);
      total = total.defined() ? total + loss : loss;
      // The newest inputs: forcings from the batch, prognostic variables from the forecast.
      const at::Tensor newest =
          truth.narrow(1, steps_out - kept, kept)
              .index_select(3, positions("data_input_full"))
              .index_copy(3, positions("model_input_prognostic"),
                          y.narrow(1, steps_out - kept, kept)
                              .index_select(3, positions("model_output_prognostic")));
      x = at::cat({x.narrow(1, kept, steps_in - kept), newest}, 1);
    }
    torch::autograd::backward({total / static_cast<double>(num_steps)}, {});
    put_gradients(found, gradients_of(network));
    return found;
  });
}

void run_rollout(const ModelCase& model,
                 const fs::path& folder,
                 const JsonObject& json,
                 const ParityOptions& options,
                 std::vector<Comparison>& rows) {
  json.ignore({"task", "batch_times", "loss", "target", "measured"});
  const JsonObject tolerance = json.object("tolerance");
  const auto num_steps = json.get<std::int64_t>("steps");
  const std::int64_t kept = std::min(model.config.num_input_steps, model.config.num_output_steps);
  if (json.get<std::int64_t>("kept_steps_per_advance", kept) != kept) {
    json.refuse_value("kept_steps_per_advance", std::to_string(kept));
  }
  json.refuse_unread();
  const TensorFile stored(folder / "rollout.safetensors");
  const auto found = roll_out(model, stored, num_steps, options);
  const auto y_tolerance = tolerance.get<double>("y_max_abs");
  const auto loss_tolerance = tolerance.get<double>("loss_rel");
  const auto stored_losses = doubles(stored.at("loss.per_step", 1));
  double total = 0;
  for (std::int64_t s = 0; s < num_steps; ++s) {
    const auto step = std::to_string(s);
    const auto loss = found[0].at("loss " + step).item<double>();
    rows.push_back(compare("rollout.x." + step, joined(found, "x " + step),
                           stored.at("x." + step, 5).squeeze(2), y_tolerance));
    rows.push_back(compare("rollout.y." + step, joined(found, "y " + step),
                           stored.at("y." + step, 5).squeeze(2), y_tolerance));
    rows.push_back(compare("rollout.loss." + step, loss,
                           stored_losses.at(static_cast<std::size_t>(s)), loss_tolerance));
    total += loss / static_cast<double>(num_steps);
  }
  const bool float64 = options.dtype == DType::kFloat64;
  rows.push_back(compare("rollout.loss", total,
                         stored.at(float64 ? "loss.value_fp64" : "loss.value").item<double>(),
                         loss_tolerance));
  for (auto& row : compare_gradients(sum_gradients(found), stored.all(),
                                     tolerance.get<double>("grad_param_rel"),
                                     tolerance.get<double>("grad_param_floor"))) {
    row.quantity = "rollout." + row.quantity;
    rows.push_back(std::move(row));
  }
}

/// null, or a bound as the reference's trainer takes it: `{"val": 32, "algorithm": "value"}`.
model::ClipOptions read_clip(const JsonObject& json) {
  if (json.at("gradient_clip").is_null()) return {};
  const JsonObject clip = json.object("gradient_clip");
  const auto bound = clip.get<double>("val");
  const bool by_norm = clip.choose<bool>("algorithm", {{"norm", true}, {"value", false}});
  clip.refuse_unread();
  if (by_norm) return {.norm = bound};
  return {.value = bound};
}

model::TrainerOptions read_trainer_options(const JsonObject& json) {
  model::TrainerOptions options;
  options.clip = read_clip(json);
  const JsonObject optimizer = json.object("optimizer");
  (void)optimizer.choose<bool>("class", {{"torch.optim.AdamW", true}});
  const JsonObject schedule = json.object("schedule");
  (void)schedule.choose<bool>("class", {{"timm.scheduler.CosineLRScheduler", true}});
  schedule.ignore({"call", "formula"});
  for (const char* key : {"warmup_lr_init", "warmup_prefix", "t_in_epochs"}) {
    if (schedule.has(key) && schedule.at(key) != 0 && schedule.at(key) != false) {
      schedule.refuse_value(key, "0 or false");
    }
  }
  const auto betas = optimizer.get<std::vector<double>>("betas");
  options.learning_rate = {.kind = model::LearningRate::Kind::kCosineFromStart,
                           .peak = optimizer.get<double>("lr"),
                           .floor = schedule.get<double>("lr_min"),
                           .warmup_steps = schedule.get<std::int64_t>("warmup_t"),
                           .total_steps = schedule.get<std::int64_t>("t_initial")};
  options.adamw = {.beta1 = betas.at(0),
                   .beta2 = betas.at(1),
                   .epsilon = optimizer.get<double>("eps"),
                   .weight_decay = optimizer.get<double>("weight_decay")};
  optimizer.refuse_unread();
  schedule.refuse_unread();
  return options;
}

/// Tells whether a parameter moves by rounding noise alone: without qk_norm `lin_key.bias` has no
/// effect, and Adam divides what noise its gradient holds by the noise's size.
bool is_noise(const std::string& name, const model::ModelConfig& config) {
  const auto& block = name.starts_with("encoder.")     ? config.encoder
                      : name.starts_with("processor.") ? config.processor
                                                       : config.decoder;
  return name.ends_with(".lin_key.bias") && !block.qk_norm;
}

constexpr const char* kLosses = "losses of all steps";

void run_optimiser(const ModelCase& model,
                   const fs::path& folder,
                   const ParityOptions& options,
                   std::vector<Comparison>& rows) {
  const auto path = folder / "adamw.json";
  const auto value = read_json(path);
  const JsonObject json(value, path.string() + ": ");
  json.ignore({"case", "versions", "batch", "measured", "steps", "lr"});
  const bool float64 = options.dtype == DType::kFloat64;
  const std::string suffix = float64 ? "_fp64" : "";
  auto trainer_options = read_trainer_options(json);
  const auto expected = json.get<std::vector<double>>("loss" + suffix);
  const auto config = with_layout(model.config, make_layout(model, options));
  const Problem problem = make_problem(model);
  const auto found = collect_from_ranks(options.ranks, [&](comm::Communicator& ranks) {
    model::Network network(config, model.graph, ranks,
                           {.float64 = float64, .device = options.device});
    network.parameters().load(model.weights);
    const comm::Range own = network.own_data();
    const auto shard_of = [&](const at::Tensor& whole) {
      return whole.narrow(2, own.begin, own.size()).to(tensor_options(options));
    };
    auto own_options = trainer_options;
    own_options.scalers = scalers_of(model.io, own);
    own_options.loss = problem.loss;
    model::Trainer trainer(network, ranks, own_options);
    const model::Batch batch = {.input = shard_of(problem.x), .target = shard_of(problem.target)};
    std::vector<double> losses;
    for (std::size_t s = 0; s < expected.size(); ++s) {
      losses.push_back(trainer.train_step(batch).loss);
    }
    losses.push_back(trainer.loss(batch));
    model::NamedTensors norms;
    for (const auto& [name, tensor] : network.parameters().all()) {
      norms[name] = tensor.detach().to(at::kDouble).norm().cpu();
    }
    norms[kLosses] = at::tensor(losses, at::kDouble);
    return norms;
  })[0];
  const auto losses = doubles(found.at(kLosses));
  // The stored tolerance is one for float32; in float64 what is left is noise that Adam blows up.
  const double tolerance = float64 ? 1e-9 : json.object("tolerance").get<double>("loss_rel");
  for (std::size_t s = 0; s < expected.size(); ++s) {
    rows.push_back(compare("adamw.loss." + std::to_string(s), losses[s], expected[s], tolerance));
  }
  rows.push_back(compare("adamw.loss_after", losses.back(), json.get<double>("loss_after" + suffix),
                         tolerance));
  for (const auto& [name, norm] :
       json.get<std::map<std::string, double>>("param_norm_after" + suffix)) {
    if (!found.contains(name)) {
      json.refuse_value("param_norm_after" + suffix, "the model's parameters; not " + name);
    }
    if (!is_noise(name, config)) {
      rows.push_back(compare("adamw.norm." + name, found.at(name).item<double>(), norm, tolerance));
    }
  }
}

}  // namespace

std::vector<Comparison> run_training_case(const fs::path& folder, const ParityOptions& options) {
  const auto path = folder / "training.json";
  const auto value = read_json(path);
  const JsonObject json(value, path.string() + ": ");
  json.ignore({"versions"});
  const auto name = json.get<std::string>("case");
  const auto sibling = absolute(folder).lexically_normal() / "";
  const auto model_folder = sibling.parent_path().parent_path() / name;
  if (!exists(model_folder / "model.json")) {
    throw Error(Errc::kNotFound, "the training's model case is not beside it")
        .with("training", path.string())
        .with("expected", model_folder.string());
  }
  const ModelCase model = read_model_case(model_folder);
  std::vector<Comparison> rows;
  if (json.has("rollout")) {
    run_rollout(model, folder, json.object("rollout"), options, rows);
  }
  if (exists(folder / "adamw.json")) {
    run_optimiser(model, folder, options, rows);
  }
  if (json.has("predict")) {
    run_prediction(model, folder, json.object("predict"), options, rows);
  }
  json.refuse_unread();
  return rows;
}

}  // namespace askos::apps
