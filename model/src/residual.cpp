// SPDX-License-Identifier: Apache-2.0
#include "residual.hpp"

#include "whole_grid.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace askos::model {
namespace {

std::int64_t position(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) - names.begin();
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Start values of the number whose logistic function, squeezed above the margin, is theta.
std::vector<double> start_logits(const OrnsteinConfig& config, std::int64_t num_prognostic) {
  std::vector<double> logits;
  for (std::int64_t v = 0; v < num_prognostic; ++v) {
    const auto i = static_cast<std::size_t>(v);
    double theta = config.theta.empty()       ? 0
                   : config.theta.size() == 1 ? config.theta[0]
                                              : config.theta[i];
    theta = (theta - config.margin) / (1 - config.margin);
    theta = theta <= 0 ? 0.01 : theta >= 1 ? 0.99 : theta;
    logits.push_back(std::log(theta / (1 - theta)));
  }
  return logits;
}

}  // namespace

Roles::Roles(const Variables& variables, at::Device device) {
  std::vector<std::int64_t> in;
  std::vector<std::int64_t> out;
  std::vector<std::int64_t> forcing;
  const auto num_outputs = static_cast<std::int64_t>(variables.output.size());
  for (std::size_t i = 0; i < variables.input.size(); ++i) {
    const auto found = position(variables.output, variables.input[i]);
    if (found == num_outputs) {
      forcing.push_back(static_cast<std::int64_t>(i));
    } else {
      in.push_back(static_cast<std::int64_t>(i));
      out.push_back(found);
    }
  }
  prognostic_in = at::tensor(in, at::kLong).to(device);
  prognostic_out = at::tensor(out, at::kLong).to(device);
  forcings = at::tensor(forcing, at::kLong).to(device);
}

ResidualConnection::ResidualConnection(Parameters& parameters,
                                       const DatasetConfig& dataset,
                                       const DataGridView& grid,
                                       comm::Range own)
    : kind_(dataset.residual),
      step_(dataset.skip_step),
      roles_(dataset.variables, parameters.device()),
      margin_(dataset.ornstein.margin) {
  if (kind_ == Residual::kTruncated) {
    if (grid.truncation_down.num_rows == 0) {
      throw Error(Errc::kInvalidInput,
                  "a truncated residual needs a graph with truncation matrices");
    }
    truncation_.emplace(grid.truncation_down, grid.truncation_up, parameters.options());
  }
  if (kind_ != Residual::kScalarOrnstein && kind_ != Residual::kSpectralOrnstein) return;
  const OrnsteinConfig& config = dataset.ornstein;
  const auto num_terms = static_cast<std::int64_t>(config.regressors.size()) + 2;
  const std::int64_t num_prognostic = roles_.prognostic_in.numel();
  for (const auto& name : config.regressors) {
    regressors_.push_back(position(dataset.variables.input, name));
  }
  const at::Tensor logits = at::tensor(start_logits(config, num_prognostic), at::kDouble);
  const std::string name = "residual." + dataset.name;
  if (kind_ == Residual::kScalarOrnstein) {
    const at::Tensor start = at::zeros({num_terms, num_prognostic}, at::kDouble);
    start.select(0, 0).copy_(logits);
    weight_ = start.to(parameters.options());
    if (config.trained) {
      weight_ = parameters.values(name + ".weight", start);
    } else {
      parameters.buffer(name + ".weight", weight_);
    }
    return;
  }
  const std::int64_t n = config.num_degrees;
  const at::Tensor start = at::zeros({num_terms, num_prognostic, n, n, 2}, at::kDouble);
  // The constant harmonic is 1 / (4 pi).
  start.select(0, 0).select(1, 0).select(1, 0).select(1, 0).copy_(4 * std::numbers::pi * logits);
  weight_ = parameters.values(name + ".weight", start);
  kept_ = at::ones_like(start).to(parameters.options());
  if (!config.with_mean) kept_.select(0, 1).zero_();
  parameters.buffer(name + ".muzero", kept_);
  harmonics_ = harmonics(grid.nodes, config.num_degrees, own).to(parameters.options());
  if (config.low_pass) low_pass_.emplace(parameters, dataset, grid.nodes, harmonics_);
}

LowPass::LowPass(Parameters& parameters,
                 const DatasetConfig& dataset,
                 const Nodes& nodes,
                 at::Tensor harmonics)
    : filter_(nodes, parameters.options()),
      harmonics_(std::move(harmonics)),
      blends_(dataset.ornstein.anti_aliasing) {
  const OrnsteinConfig& config = dataset.ornstein;
  std::vector<std::int64_t> variables;
  for (std::size_t v = 0; v < dataset.variables.input.size(); ++v) {
    const std::string& name = dataset.variables.input[v];
    if (has(dataset.variables.output, name) && !has(config.unfiltered, name)) {
      variables.push_back(static_cast<std::int64_t>(v));
    }
  }
  variables_ = at::tensor(variables, at::kLong).to(parameters.device());
  const auto count = static_cast<std::int64_t>(variables.size());
  const std::int64_t degrees = filter_.num_degrees();
  const std::int64_t n = config.num_degrees;
  const double theta = std::max(config.theta.empty() ? 0 : config.theta[0], 0.01);
  const double root = std::sqrt(theta / (0.5 - theta) / static_cast<double>(degrees));
  const std::string name = "residual." + dataset.name;
  roots_ = parameters.constant(name + ".filter", {count, degrees}, root);
  blend_ = parameters.constant(name + ".walias", {count, n, n, 2}, 0);
}

at::Tensor LowPass::operator()(const at::Tensor& x,
                               const comm::ShardSizes& sizes,
                               comm::Communicator& ranks) const {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  const at::Tensor odds = roots_.square().cumsum(1);
  const at::Tensor gains = 1 / (1 + odds);
  const at::Tensor last = x.select(1, -1);
  const at::Tensor fields = last.index_select(2, variables_);
  at::Tensor smooth =
      on_whole_grid(fields, sizes, ranks, [&](const at::Tensor& whole, comm::Range own) {
        const at::Tensor gain = gains.narrow(0, own.begin, own.size());
        return filter_(whole.transpose(1, 2), gain).transpose(1, 2).contiguous();
      });
  if (blends_) {
    const at::Tensor share = at::sigmoid(at::matmul(harmonics_, blend_.flatten(1).t()));
    smooth = share * fields + (1 - share) * smooth;
  }
  const at::Tensor seen = last.index_copy(2, variables_, smooth).unsqueeze(1);
  return at::cat({x.narrow(1, 0, x.size(1) - 1), seen}, 1);
}

/// last [batch, own node, input variable]; gives [batch, own node, prognostic variable].
at::Tensor ResidualConnection::ornstein(const at::Tensor& last) const {
  at::Tensor terms = weight_.unsqueeze(1);  // [term, 1 or own node, prognostic]
  if (kind_ == Residual::kSpectralOrnstein) {
    terms = at::matmul((weight_ * kept_).flatten(2), harmonics_.t()).transpose(1, 2);
  }
  const at::Tensor theta = margin_ + (1 - margin_) * at::sigmoid(terms[0]);
  at::Tensor sum = (1 - theta) * last.index_select(2, roles_.prognostic_in) + terms[1];
  for (std::size_t i = 0; i < regressors_.size(); ++i) {
    sum = sum + terms[static_cast<std::int64_t>(i) + 2] * last.narrow(2, regressors_[i], 1);
  }
  return sum;
}

at::Tensor ResidualConnection::add(const at::Tensor& y,
                                   const at::Tensor& x,
                                   const comm::ShardSizes& sizes,
                                   comm::Communicator& ranks) const {
  at::Tensor known;  // [batch, own node, prognostic]
  switch (kind_) {
    case Residual::kNone: return y;
    case Residual::kSkip: known = x.select(1, step_).index_select(2, roles_.prognostic_in); break;
    case Residual::kTruncated:
      known = (*truncation_)(x.select(1, -1).index_select(2, roles_.prognostic_in), sizes, ranks);
      break;
    case Residual::kScalarOrnstein:
    case Residual::kSpectralOrnstein: known = ornstein(x.select(1, -1)); break;
  }
  return y.index_add(3, roles_.prognostic_out, known.unsqueeze(1).expand({-1, y.size(1), -1, -1}));
}

}  // namespace askos::model
