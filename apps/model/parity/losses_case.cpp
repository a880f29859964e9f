// SPDX-License-Identifier: Apache-2.0
#include "parity/cases.hpp"
#include "parity/json_object.hpp"
#include "parity/loss_class.hpp"
#include "parity/ranks.hpp"
#include "parity/reference_graph.hpp"

#include <askos/base/error.hpp>
#include <askos/model/loss.hpp>
#include <askos/model/multiscale_loss.hpp>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

namespace askos::apps {
namespace {

constexpr std::int64_t kNumAxes = 5;  // batch, time, ensemble, grid, variable
constexpr std::int64_t kEnsemble = 2;

/// One evaluation of losses.json, ready to run.
struct Evaluation {
  std::string id = {};
  std::vector<model::LossTerm> terms = {};    ///< scalers of the whole grid
  std::vector<model::LossScale> scales = {};  ///< of one term; empty: as it is
  at::Tensor prediction = {};                 ///< [batch, time(, member), grid, variable]
  at::Tensor target = {};                     ///< [batch, time, grid, variable]
};

/// `json` names class and arguments, `forward` those of the call.
model::LossOptions read_options(const JsonObject& json, const JsonObject& forward) {
  const JsonObject init = json.object("init");
  model::LossOptions options = read_loss_class(json, init);
  options.ignore_nans = init.get<bool>("ignore_nans", false);
  if (options.error == model::ErrorKind::kCrps) {
    init.ignore({"backend", "no_autocast"});  // how it is computed
  }
  init.refuse_unread();
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

std::vector<model::Scaler> read_scalers(const nlohmann::json& list,
                                        const std::string& place,
                                        const TensorFile& io) {
  std::vector<model::Scaler> scalers;
  for (const auto& entry : list) {
    const JsonObject scaler(entry, place + "scalers.");
    scalers.push_back({scaler.get<std::string>("name"),
                       with_four_axes(io.at(scaler.get<std::string>("tensor")),
                                      scaler.get<std::vector<std::int64_t>>("dims"))});
    scaler.refuse_unread();
  }
  return scalers;
}

/// The losses that a combined loss adds up, or the one that a multi-scale loss wraps.
std::vector<model::LossTerm> read_parts(const JsonObject& json,
                                        const std::string& place,
                                        const TensorFile& io) {
  const auto whole = read_scalers(json.at("scalers"), place, io);
  std::vector<model::LossTerm> terms;
  for (const auto& entry : json.at("parts")) {
    const JsonObject part(entry, place + "parts.");
    terms.push_back({.scalers = part.has("scalers")
                                    ? read_scalers(part.at("scalers"), place + "parts.", io)
                                    : whole,
                     .options = read_options(part, json.object("forward"))});
    part.refuse_unread();
  }
  return terms;
}

void read_combined(const JsonObject& json, Evaluation& evaluation) {
  const JsonObject init = json.object("init");
  const auto weights = init.get<std::vector<double>>(
      "loss_weights", std::vector<double>(evaluation.terms.size(), 1));
  init.refuse_unread();
  if (weights.size() != evaluation.terms.size()) {
    json.refuse_value("init", "as many loss_weights as parts");
  }
  for (std::size_t i = 0; i < weights.size(); ++i) evaluation.terms[i].weight = weights[i];
}

void read_scales(const JsonObject& json, const TensorFile& io, Evaluation& evaluation) {
  const JsonObject init = json.object("init");
  const auto weights = init.get<std::vector<double>>("weights");
  const nlohmann::json& matrices = init.at("smoothing");
  init.refuse_unread();
  if (evaluation.terms.size() != 1 || matrices.size() != weights.size()) {
    json.refuse_value("init", "one part, as many weights as smoothing matrices");
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    auto& scale = evaluation.scales.emplace_back();
    scale.weight = weights[i];
    if (matrices[i].is_null()) continue;
    scale.smoothing = read_matrix(io, matrices[i].get<std::string>(), evaluation.target.size(2));
  }
}

Evaluation read_evaluation(const nlohmann::json& value,
                           const std::string& place,
                           const TensorFile& io) {
  const JsonObject json(value, place);
  json.ignore({"out_shape", "measured", "parts"});
  const auto kind = json.get<std::string>("class");
  const JsonObject forward = json.object("forward");
  const bool many = kind == "CombinedLoss" || kind == "MultiscaleLossWrapper";
  Evaluation evaluation{.id = json.get<std::string>("id")};
  evaluation.terms =
      many ? read_parts(json, place, io)
           : std::vector<model::LossTerm>{{.scalers = read_scalers(json.at("scalers"), place, io),
                                           .options = read_options(json, forward)}};
  evaluation.prediction = io.at(json.get<std::string>("pred"), kNumAxes);
  evaluation.target = io.at(json.get<std::string>("target"), kNumAxes);
  if (const auto weights = json.get<std::string>("weights", ""); !weights.empty()) {
    const at::Tensor& factors = io.at(weights, kNumAxes);
    for (auto& term : evaluation.terms) {
      term.scalers.push_back({"weights", factors.select(kEnsemble, 0)});
    }
  }
  const auto of_ensembles = std::ranges::count_if(evaluation.terms, [](const auto& term) {
    return term.options.error == model::ErrorKind::kCrps;
  });
  const bool crps = of_ensembles > 0;
  if (evaluation.target.size(kEnsemble) != 1 ||
      of_ensembles % static_cast<std::ptrdiff_t>(evaluation.terms.size()) != 0 ||
      (!crps && evaluation.prediction.size(kEnsemble) != 1)) {
    throw Error(Errc::kInvalidInput, "this loss takes one member").with("case", evaluation.id);
  }
  evaluation.target = evaluation.target.squeeze(kEnsemble);
  if (!crps) evaluation.prediction = evaluation.prediction.squeeze(kEnsemble);
  if (kind == "CombinedLoss") read_combined(json, evaluation);
  if (kind == "MultiscaleLossWrapper") read_scales(json, io, evaluation);
  if (const auto slice = forward.get<std::vector<std::int64_t>>("grid_shard_slice", {});
      !slice.empty()) {
    const comm::Range grid = {slice.at(0), slice.at(1)};
    evaluation.prediction = evaluation.prediction.narrow(-2, grid.begin, grid.size());
    evaluation.target = evaluation.target.narrow(-2, grid.begin, grid.size());
    for (auto& term : evaluation.terms) {
      for (auto& scaler : term.scalers) scaler = model::slice_grid(scaler, grid);
    }
  }
  json.refuse_unread();
  return evaluation;
}

struct LossResult {
  at::Tensor out;       ///< flat
  at::Tensor gradient;  ///< of the sum of `out`, as the prediction
};

/// Evaluates on ranks that share the grid.
LossResult evaluate(const Evaluation& evaluation,
                    const RankPlace& place,
                    const at::TensorOptions& options) {
  const auto sizes = comm::balanced_sizes(evaluation.target.size(2), place.num_ranks);
  const auto found = collect_from_ranks(place, [&](comm::Communicator& ranks) {
    const comm::Range own = comm::shard_range(sizes, ranks.rank());
    const auto shard_of = [&](const at::Tensor& whole) {
      return whole.narrow(-2, own.begin, own.size()).to(options).contiguous();
    };
    auto terms = evaluation.terms;
    for (auto& term : terms) {
      for (auto& scaler : term.scalers) scaler = model::slice_grid(scaler, own);
    }
    const at::Tensor y = shard_of(evaluation.prediction).clone().set_requires_grad(true);
    const at::Tensor x = shard_of(evaluation.target);
    const at::Tensor loss =
        evaluation.scales.empty()
            ? model::total_loss(y, x, terms, ranks)
            : model::MultiscaleLoss(evaluation.scales, sizes, options)(y, x, terms[0], ranks);
    torch::autograd::backward({loss.sum()}, {});
    return model::NamedTensors{{"out", loss.detach().flatten().cpu()},
                               {"gradient", y.grad().cpu()}};
  });
  return {found[0].at("out"), joined(found, "gradient", -2)};
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
        evaluate(evaluation, options.ranks,
                 at::TensorOptions(float64 ? at::kDouble : at::kFloat).device(options.device));
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
