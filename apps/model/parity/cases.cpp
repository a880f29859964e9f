// SPDX-License-Identifier: Apache-2.0
#include "parity/cases.hpp"

#include "parity/json_object.hpp"
#include "parity/loss_class.hpp"
#include "parity/preprocessing_case.hpp"

#include <askos/base/error.hpp>
#include <askos/model/chunk_environment.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <iostream>

namespace askos::apps {
namespace {

/// Members of an ensemble become batch entries: [batch * member, time, grid, variable].
at::Tensor members_in_batch(const TensorFile& io, const std::string& name) {
  return io.at(name, 5).transpose(1, 2).flatten(0, 1);
}

/// Sizes of a tensor's axes; -1 for any.
using Sizes = std::vector<std::int64_t>;

/// Returns a tensor of io.safetensors; throws unless it has these sizes.
const at::Tensor& sized(const TensorFile& io, const std::string& name, const Sizes& expected) {
  const at::Tensor& tensor = io.at(name, static_cast<std::int64_t>(expected.size()));
  for (std::size_t axis = 0; axis < expected.size(); ++axis) {
    const auto size = tensor.size(static_cast<std::int64_t>(axis));
    if (expected[axis] < 0 || expected[axis] == size) continue;
    throw Error(Errc::kShapeMismatch, "tensor does not fit graph and configuration")
        .with("file", io.path().string())
        .with("tensor", name)
        .with("axis", axis)
        .with("expected", expected[axis])
        .with("found", size);
  }
  return tensor;
}

/// Data of a dataset on a grid; names begin with `prefix`, empty where there is one dataset. One
/// truth is for all members: a loss of single members, not of ensembles, takes it once for each.
Fields read_fields(const TensorFile& io,
                   const std::string& prefix,
                   const model::ModelConfig& config,
                   const model::DatasetConfig& dataset,
                   std::int64_t grid,
                   bool of_ensembles) {
  const auto num_inputs = static_cast<std::int64_t>(dataset.variables.input.size());
  const auto num_outputs = static_cast<std::int64_t>(dataset.variables.output.size());
  const std::int64_t steps = config.num_output_steps;
  const at::Tensor& x = sized(io, prefix + "x", {-1, config.num_input_steps, -1, grid, num_inputs});
  const at::Tensor target =
      sized(io, prefix + "target", {x.size(0), steps, 1, grid, num_outputs}).squeeze(2);
  return {.x = members_in_batch(io, prefix + "x"),
          .target = of_ensembles ? target : target.repeat_interleave(x.size(2), 0),
          .node_factors = sized(io, prefix + "loss.node_weights", {grid}),
          .variable_factors = doubles(sized(io, prefix + "loss.variable_weights", {num_outputs})),
          .time_factors = doubles(sized(io, prefix + "loss.time_weights", {steps}))};
}

/// What the names of each dataset's tensors begin with.
std::vector<std::string> prefixes(const model::ModelConfig& config) {
  if (config.more_datasets.empty()) return {""};
  std::vector<std::string> names;
  for (const auto& dataset : model::datasets(config)) names.push_back(dataset.name + ".");
  return names;
}

bool has_limits(const model::ModelConfig& config) {
  const auto list = model::datasets(config);
  return std::ranges::any_of(list, [](const auto& dataset) { return !dataset.boundings.empty(); });
}

/// Compares a run in bfloat16, which keeps 8 bits: entries may be off by some units in the last
/// place of the largest one, and gradients that nearly vanish by as much of the largest of all;
/// twice as much where the loss has kinks, at which single slopes change sign, and at the input
/// where outputs have limits: one that is met on the other side switches an output's slope off or
/// on (of the case `limits` three of 732 on an H200, and ten of 2440 entries make the error).
std::vector<Comparison> compare_roughly(const Result& result,
                                        const ModelCase& model,
                                        const std::vector<std::string>& names) {
  constexpr double kUnits = 16.0 / 256;
  const TensorFile& io = model.io;
  const auto error = read_loss(model).error;
  const bool has_kinks = error == model::ErrorKind::kCrps || error == model::ErrorKind::kAbsolute;
  const double of_slopes = has_kinks ? 2 * kUnits : kUnits;
  const double of_input = has_limits(model.config) ? 2 * kUnits : of_slopes;
  constexpr double kLoss = 4.0 / 256;
  constexpr double kFloor = 0.1;
  std::vector<Comparison> rows = {
      compare("loss", result.loss, io.at("loss.value").item<double>(), kLoss)};
  for (std::size_t d = 0; d < names.size(); ++d) {
    const at::Tensor y = members_in_batch(io, names[d] + "y");
    rows.push_back(
        compare(names[d] + "y", d == 0 ? result.y : result.more_y[d - 1], y, kUnits * max_abs(y)));
    rows.push_back(compare(names[d] + "grad.x", d == 0 ? result.grad_x : result.more_grad_x[d - 1],
                           members_in_batch(io, names[d] + "grad.x"), of_input));
    rows.back().by_norm = true;
  }
  const auto gradients = compare_gradients(result.grad_parameters, io.all(), of_slopes, kFloor);
  rows.insert(rows.end(), gradients.begin(), gradients.end());
  return rows;
}

void warn_of_idle_ranks(const model::ModelConfig& config, int num_ranks) {
  for (const auto& part : model::parts_with_idle_ranks(config, num_ranks)) {
    std::cerr << "askos: warning: more ranks than heads in the " << part
              << ": some ranks attend to nothing\n";
  }
}

}  // namespace

model::LossOptions read_loss(const ModelCase& model) {
  const JsonObject json(model.json, (model.folder / "model.json").string() + ": ");
  const JsonObject loss = json.object("loss");
  return read_loss_class(loss, loss);
}

Problem make_problem(const ModelCase& model) {
  const TensorFile& io = model.io;
  const JsonObject json(model.json, (model.folder / "model.json").string() + ": ");
  const auto names = prefixes(model.config);
  const model::LossOptions loss = read_loss(model);
  const bool crps = loss.error == model::ErrorKind::kCrps;
  const auto list = model::datasets(model.config);
  const auto grids = model::data_grids(model.graph);
  const auto fields = [&](std::size_t d) {
    return read_fields(io, names[d], model.config, list[d], grids.at(d).nodes.size(), crps);
  };
  const Fields first = fields(0);
  Problem problem = {.config = model.config,
                     .graph = model.graph,
                     .weights = model.weights,
                     .x = first.x,
                     .target = first.target,
                     .node_factors = first.node_factors,
                     .variable_factors = first.variable_factors,
                     .time_factors = first.time_factors};
  for (std::size_t d = 1; d < names.size(); ++d) problem.more.push_back(fields(d));
  problem.forward.forecast_step = json.get<int>("forecast_step", 0);
  if (io.has("noise")) problem.forward.noise = io.at("noise", 4).flatten(0, 1);
  problem.loss = loss;
  if (crps) problem.num_members = io.at(names[0] + "x", 5).size(2);
  return problem;
}

Layout make_layout(const ModelCase& model, const ParityOptions& options) {
  const auto config = model::with_environment_chunks(model.config);
  return {.num_ranks = options.ranks.num_ranks,
          .processes = options.ranks.processes,
          .chunks = options.chunks.value_or(config.encoder.num_chunks),
          .segments = options.segments.value_or(config.processor.num_chunks),
          .strategy = options.strategy.value_or(model.config.processor.shard_strategy),
          .device = options.device,
          .bfloat16 = options.dtype == DType::kBFloat16};
}

std::vector<Comparison> compare_with_case(const ModelCase& model,
                                          const Result& result,
                                          DType dtype) {
  const JsonObject description(model.json, (model.folder / "model.json").string() + ": ");
  const JsonObject tolerance = description.object("tolerance");
  const bool float64 = dtype == DType::kFloat64;
  // In float64 the reference stored output and loss; its gradients are float32 ones.
  const JsonObject exact = float64 ? tolerance.object("fp64") : tolerance;
  const std::string suffix = float64 ? "_fp64" : "";
  const TensorFile& io = model.io;
  const auto names = prefixes(model.config);
  if (dtype == DType::kBFloat16) return compare_roughly(result, model, names);
  std::vector<Comparison> rows;
  const auto compare_all = [&](const std::string& quantity, const at::Tensor& first,
                               const std::vector<at::Tensor>& more, double allowed) {
    for (std::size_t d = 0; d < names.size(); ++d) {
      rows.push_back(compare(names[d] + quantity, d == 0 ? first : more[d - 1],
                             members_in_batch(io, names[d] + quantity), allowed));
    }
  };
  compare_all("y" + suffix, result.y, result.more_y, exact.get<double>("y_max_abs"));
  rows.push_back(compare("loss" + suffix, result.loss, io.at("loss.value" + suffix).item<double>(),
                         exact.get<double>("loss_rel")));
  compare_all("grad.x", result.grad_x, result.more_grad_x, tolerance.get<double>("grad_x_max_abs"));
  const auto gradients =
      compare_gradients(result.grad_parameters, io.all(), tolerance.get<double>("grad_param_rel"),
                        tolerance.get<double>("grad_param_floor"));
  rows.insert(rows.end(), gradients.begin(), gradients.end());
  return rows;
}

std::vector<Comparison> run_model_case(const ModelCase& model, const ParityOptions& options) {
  const Layout layout = make_layout(model, options);
  warn_of_idle_ranks(with_layout(model.config, layout), layout.num_ranks);
  const Result result = run(make_problem(model), layout, options.dtype == DType::kFloat64);
  return compare_with_case(model, result, options.dtype);
}

std::vector<Comparison> run_case(const std::filesystem::path& folder,
                                 const ParityOptions& options) {
  if (exists(folder / "model.json")) {
    return run_model_case(read_model_case(folder), options);
  }
  if (options.dtype == DType::kBFloat16) {
    throw Error(Errc::kUsage, "only model cases run in bfloat16").with("folder", folder.string());
  }
  if (exists(folder / "losses.json")) {
    return run_losses_case(folder, options);
  }
  if (exists(folder / "training.json")) {
    return run_training_case(folder, options);
  }
  if (exists(folder / "preprocessing.json")) {
    return run_preprocessing_case(folder);
  }
  if (exists(folder / "scalers.json")) {
    return run_scalers_case(folder);
  }
  throw Error(Errc::kNotFound, "folder is no parity case")
      .with("folder", folder.string())
      .with("expected",
            "model.json, losses.json, training.json, preprocessing.json or scalers.json in it");
}

}  // namespace askos::apps
