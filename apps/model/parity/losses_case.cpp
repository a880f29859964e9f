// SPDX-License-Identifier: Apache-2.0
#include "parity/cases.hpp"
#include "parity/json_object.hpp"
#include "parity/ranks.hpp"

#include <askos/base/error.hpp>
#include <askos/model/loss.hpp>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

namespace askos::apps {
namespace {

constexpr std::int64_t kNumAxes = 5;  // batch, time, ensemble, grid, variable
constexpr std::int64_t kEnsemble = 2;
constexpr std::int64_t kGrid = 3;

/// One evaluation of losses.json, ready to run.
struct Evaluation {
  std::string id = {};
  model::LossOptions options = {};
  std::vector<model::Scaler> scalers = {};  ///< of the whole grid
  at::Tensor prediction = {};               ///< [batch, time(, member), grid, variable]
  at::Tensor target = {};                   ///< [batch, time, grid, variable]
};

model::LossOptions read_options(const JsonObject& json) {
  model::LossOptions options;
  using Kind = model::ErrorKind;
  const auto name = json.get<std::string>("class");
  options.root = name == "RMSELoss";
  options.error = json.choose<Kind>("class", {{"MSELoss", Kind::kSquared},
                                              {"RMSELoss", Kind::kSquared},
                                              {"WeightedMSELoss", Kind::kSquared},
                                              {"MAELoss", Kind::kAbsolute},
                                              {"LogCoshLoss", Kind::kLogCosh},
                                              {"HuberLoss", Kind::kHuber},
                                              {"KernelCRPS", Kind::kCrps},
                                              {"AlmostFairKernelCRPS", Kind::kCrps},
                                              {"CRPS", Kind::kCrps}});
  const JsonObject init = json.object("init");
  options.ignore_nans = init.get<bool>("ignore_nans", false);
  if (options.error == Kind::kHuber) options.huber_delta = init.get<double>("delta", 1);
  if (options.error == Kind::kCrps) {
    // Older releases had two classes: one fair or not, one in between.
    const double otherwise = name == "CRPS" ? 0.95 : 1;
    options.crps_alpha = init.get<double>("alpha", init.get<bool>("fair", true) ? otherwise : 0);
    init.ignore({"backend", "no_autocast"});  // how it is computed
  }
  init.refuse_unread();
  const JsonObject forward = json.object("forward");
  options.per_variable = !forward.get<bool>("squash", true);
  options.sum_variables = forward.has("squash_mode") &&
                          forward.choose<bool>("squash_mode", {{"avg", false}, {"sum", true}});
  options.variables = forward.get<std::vector<std::int64_t>>("scaler_indices", {});
  options.without_scalers = forward.get<std::vector<std::string>>("without_scalers", {});
  (void)forward.has("grid_shard_slice");
  forward.refuse_unread();
  return options;
}

/// Returns a tensor whose axes are `dims` of the five as one of the four that a scaler has.
at::Tensor with_four_axes(const at::Tensor& values, std::vector<std::int64_t> dims) {
  std::vector<std::int64_t> shape(kNumAxes, 1);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const auto axis = dims[i] < 0 ? dims[i] + kNumAxes : dims[i];
    if (axis < 0 || axis >= kNumAxes || values.dim() != static_cast<std::int64_t>(dims.size()) ||
        (i > 0 && axis <= (dims[i - 1] < 0 ? dims[i - 1] + kNumAxes : dims[i - 1]))) {
      throw Error(Errc::kInvalidInput, "a scaler's dims must be rising axes, one per axis it has")
          .with("dim", dims[i])
          .with("axes", values.dim());
    }
    shape[static_cast<std::size_t>(axis)] = values.size(static_cast<std::int64_t>(i));
  }
  if (shape[kEnsemble] != 1) {
    throw Error(Errc::kInvalidInput, "a scaler that differs by member is not known to askos");
  }
  shape.erase(shape.begin() + kEnsemble);
  return values.reshape(shape);
}

Evaluation read_evaluation(const nlohmann::json& value,
                           const std::string& place,
                           const TensorFile& io) {
  const JsonObject json(value, place);
  json.ignore({"out_shape", "measured"});
  Evaluation evaluation{.id = json.get<std::string>("id"), .options = read_options(json)};
  if (json.has("parts") && !json.at("parts").is_null()) {
    json.refuse_value("parts", "null");
  }
  for (const auto& entry : json.at("scalers")) {
    const JsonObject scaler(entry, place + "scalers.");
    evaluation.scalers.push_back({scaler.get<std::string>("name"),
                                  with_four_axes(io.at(scaler.get<std::string>("tensor")),
                                                 scaler.get<std::vector<std::int64_t>>("dims"))});
    scaler.refuse_unread();
  }
  evaluation.prediction = io.at(json.get<std::string>("pred"), kNumAxes);
  evaluation.target = io.at(json.get<std::string>("target"), kNumAxes);
  if (const auto weights = json.get<std::string>("weights", ""); !weights.empty()) {
    const at::Tensor& factors = io.at(weights, kNumAxes);
    evaluation.scalers.push_back({"weights", factors.select(kEnsemble, 0)});
  }
  const bool crps = evaluation.options.error == model::ErrorKind::kCrps;
  if (evaluation.target.size(kEnsemble) != 1 ||
      (!crps && evaluation.prediction.size(kEnsemble) != 1)) {
    throw Error(Errc::kInvalidInput, "this loss takes one member").with("case", evaluation.id);
  }
  evaluation.target = evaluation.target.squeeze(kEnsemble);
  if (!crps) evaluation.prediction = evaluation.prediction.squeeze(kEnsemble);
  const JsonObject forward = json.object("forward");
  if (const auto slice = forward.get<std::vector<std::int64_t>>("grid_shard_slice", {});
      !slice.empty()) {
    const comm::Range grid = {slice.at(0), slice.at(1)};
    evaluation.prediction = evaluation.prediction.narrow(-2, grid.begin, grid.size());
    evaluation.target = evaluation.target.narrow(-2, grid.begin, grid.size());
    for (auto& scaler : evaluation.scalers) scaler = model::slice_grid(scaler, grid);
  }
  json.refuse_unread();
  return evaluation;
}

struct LossResult {
  at::Tensor out;       ///< flat
  at::Tensor gradient;  ///< of the sum of `out`, as the prediction
};

/// Evaluates on ranks that share the grid.
LossResult evaluate(const Evaluation& evaluation, int num_ranks, at::ScalarType dtype) {
  const auto sizes = comm::balanced_sizes(evaluation.target.size(2), num_ranks);
  std::vector<at::Tensor> gradients(sizes.size());
  at::Tensor out;
  run_ranks(num_ranks, [&](comm::Communicator& ranks) {
    const comm::Range own = comm::shard_range(sizes, ranks.rank());
    const auto shard_of = [&](const at::Tensor& whole) {
      return whole.narrow(-2, own.begin, own.size()).to(dtype).contiguous();
    };
    model::LossTerm term = {.options = evaluation.options};
    for (const auto& scaler : evaluation.scalers) {
      term.scalers.push_back(model::slice_grid(scaler, own));
    }
    const at::Tensor y = shard_of(evaluation.prediction).clone().set_requires_grad(true);
    const at::Tensor loss = model::total_loss(y, shard_of(evaluation.target), {term}, ranks);
    torch::autograd::backward({loss.sum()}, {});
    gradients[static_cast<std::size_t>(ranks.rank())] = y.grad();
    if (ranks.rank() == 0) out = loss.detach().flatten();
  });
  return {out, at::cat(gradients, -2)};
}

}  // namespace

std::vector<Comparison> run_losses_case(const std::filesystem::path& folder,
                                        const ParityOptions& options) {
  const auto path = folder / "losses.json";
  const auto value = read_json(path);
  const JsonObject json(value, path.string() + ": ");
  const JsonObject tolerance = json.object("tolerance");
  const TensorFile io(folder / "io.safetensors");
  const bool float64 = options.dtype == DType::kFloat64;
  std::vector<Comparison> rows;
  for (const auto& entry : json.at("cases")) {
    const Evaluation evaluation = read_evaluation(entry, path.string() + ": cases.", io);
    const LossResult result =
        evaluate(evaluation, options.num_ranks, float64 ? at::kDouble : at::kFloat);
    const at::Tensor& out = io.at(evaluation.id + (float64 ? ".out_fp64" : ".out"), 1);
    // In float64 inputs are the same float32 numbers; what is left is the order of sums.
    rows.push_back(compare(evaluation.id + ".out", result.out, out,
                           (float64 ? 1e-12 : tolerance.get<double>("out_rel")) * max_abs(out)));
    const at::Tensor& gradient = io.at(evaluation.id + ".grad_pred", kNumAxes);
    rows.push_back(compare(evaluation.id + ".grad_pred", result.gradient.reshape(gradient.sizes()),
                           gradient, tolerance.get<double>("grad_rel_to_max") * max_abs(gradient)));
  }
  return rows;
}

}  // namespace askos::apps
