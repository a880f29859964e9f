// SPDX-License-Identifier: Apache-2.0
#include "inputs.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <sstream>

namespace askos::model {
namespace {

/// [batch, time, node, variable] to [batch, node, time * variable], time slowest.
at::Tensor columns(const at::Tensor& x) {
  return x.transpose(1, 2).flatten(2);
}

}  // namespace

DatasetInputs::DatasetInputs(const ModelConfig& config,
                             const DatasetConfig& dataset,
                             const NodeAttributes& nodes)
    : target_(dataset.decoder_target),
      num_steps_(config.num_input_steps),
      num_variables_(static_cast<std::int64_t>(dataset.variables.input.size())),
      forecast_step_(config.forecast_step),
      roles_(dataset.variables, nodes.coordinates().device()),
      nodes_(&nodes) {}

std::int64_t DatasetInputs::encoded_size() const {
  return num_steps_ * num_variables_ + nodes_->size() + (forecast_step_ ? 1 : 0);
}

at::Tensor DatasetInputs::encoded(const at::Tensor& x, const ForwardOptions& options) const {
  std::vector<at::Tensor> features = {columns(x), for_batch(nodes_->all(), x.size(0))};
  if (forecast_step_) {
    features.push_back(
        at::full({x.size(0), x.size(2), 1}, std::min(1, options.forecast_step), x.options()));
  }
  return at::cat(features, 2);
}

std::int64_t DatasetInputs::target_size() const {
  std::int64_t size = 0;
  for (const auto feature : target_) {
    switch (feature) {
      case TargetFeature::kEncodedData: size += encoded_size(); break;
      case TargetFeature::kCoordinates: size += 4; break;
      case TargetFeature::kForcings: size += num_steps_ * roles_.forcings.numel(); break;
      case TargetFeature::kPrognostics: size += num_steps_ * roles_.prognostic_in.numel(); break;
      case TargetFeature::kTrainables: size += nodes_->size() - 4; break;
    }
  }
  return size;
}

at::Tensor DatasetInputs::target(const at::Tensor& x, const at::Tensor& encoded) const {
  const auto fields = [&](const at::Tensor& variables) {
    return columns(x.index_select(3, variables));
  };
  const auto of_nodes = [&](const at::Tensor& values) { return for_batch(values, x.size(0)); };
  std::vector<at::Tensor> features;
  for (const auto feature : target_) {
    switch (feature) {
      case TargetFeature::kEncodedData: features.push_back(encoded); break;
      case TargetFeature::kCoordinates: features.push_back(of_nodes(nodes_->coordinates())); break;
      case TargetFeature::kForcings: features.push_back(fields(roles_.forcings)); break;
      case TargetFeature::kPrognostics: features.push_back(fields(roles_.prognostic_in)); break;
      case TargetFeature::kTrainables: features.push_back(of_nodes(nodes_->trainables())); break;
    }
  }
  return features.size() == 1 ? features[0] : at::cat(features, 2);
}

void DatasetInputs::check(const at::Tensor& x,
                          at::ScalarType dtype,
                          std::int64_t num_own,
                          int rank) const {
  if (x.scalar_type() != dtype) {
    throw Error(Errc::kTypeMismatch, "input has another dtype than the network")
        .with("input", c10::toString(x.scalar_type()))
        .with("network", c10::toString(dtype));
  }
  const std::vector<std::int64_t> wanted = {num_steps_, num_own, num_variables_};
  if (x.dim() != 4 || x.sizes().slice(1) != at::IntArrayRef(wanted)) {
    std::ostringstream offered;
    std::ostringstream expected;
    offered << x.sizes();
    expected << "[batch, " << wanted[0] << ", " << wanted[1] << ", " << wanted[2] << "]";
    throw Error(Errc::kShapeMismatch, "input does not have this rank's shape")
        .with("rank", rank)
        .with("input", offered.str())
        .with("expected", expected.str());
  }
}

}  // namespace askos::model
