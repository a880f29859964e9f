// SPDX-License-Identifier: Apache-2.0
#include "layers.hpp"

#include "layers_on_device.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace askos::model {

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return x.is_cuda() ? linear_on_device(x, weight, bias) : at::linear(x, weight, bias);
}

Linear::Linear(
    Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t out, bool zero) {
  const double bound = zero || in == 0 ? 0 : 1 / std::sqrt(static_cast<double>(in));
  weight_ = parameters.uniform(name + ".weight", {out, in}, bound);
  bias_ = parameters.uniform(name + ".bias", {out}, bound);
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  return linear(x, weight_, bias_);
}

LayerNorm::LayerNorm(Parameters& parameters,
                     const std::string& name,
                     std::int64_t size,
                     bool with_bias)
    : weight_(parameters.constant(name + ".weight", {size}, 1)) {
  if (with_bias) bias_ = parameters.constant(name + ".bias", {size}, 0);
}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  if (x.is_cpu() || !at::isReducedFloatingType(x.scalar_type())) {
    return at::layer_norm(x, weight_.sizes(), weight_, bias_, 1e-5);
  }
  return layer_norm_on_device(x, weight_, bias_);
}

Norm::Norm(Parameters& parameters,
           const std::string& name,
           std::int64_t size,
           std::int64_t condition_features)
    : conditional_(condition_features > 0) {
  if (conditional_) {
    scale_ = Linear(parameters, name + ".scale", condition_features, size, /*zero=*/true);
    shift_ = Linear(parameters, name + ".bias", condition_features, size, /*zero=*/true);
  } else {
    plain_ = LayerNorm(parameters, name, size);
  }
}

at::Tensor Norm::operator()(const at::Tensor& x, const at::Tensor& condition) const {
  if (!conditional_) return plain_(x);
  return at::layer_norm(x, {x.size(-1)}, {}, {}, 1e-5) * (1 + scale_(condition)) +
         shift_(condition);
}

Mlp::Mlp(Parameters& parameters,
         const std::string& name,
         MlpKind kind,
         std::int64_t channels,
         std::int64_t hidden)
    : kind_(kind) {
  if (kind == MlpKind::kGelu) {
    in_ = Linear(parameters, name + ".mlp.0", channels, hidden);
    out_ = Linear(parameters, name + ".mlp.2", hidden, channels);
  } else {
    in_ = Linear(parameters, name + ".mlp.0.gate_proj", channels, hidden);
    value_ = Linear(parameters, name + ".mlp.0.value_proj", channels, hidden);
    out_ = Linear(parameters, name + ".mlp.1", hidden, channels);
  }
}

at::Tensor Mlp::operator()(const at::Tensor& x) const {
  const at::Tensor in = in_(x);
  switch (kind_) {
    case MlpKind::kGelu: return out_(at::gelu(in));
    case MlpKind::kGlu: return out_(at::sigmoid(in) * value_(x));
    case MlpKind::kSwiglu: return out_(at::silu(in) * value_(x));
    case MlpKind::kGeglu: return out_(at::gelu(in) * value_(x));
    case MlpKind::kReglu: return out_(at::relu(in) * value_(x));
  }
  return {};
}

}  // namespace askos::model
