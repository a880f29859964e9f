// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/config.hpp>
#include <askos/model/parameters.hpp>

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace askos::model {

/// `x weight^T + bias` on the last axis.
[[nodiscard]] at::Tensor linear(const at::Tensor& x,
                                const at::Tensor& weight,
                                const at::Tensor& bias);

/// The same with parameters of its own. Starts like torch.nn.Linear, or at zero.
class Linear {
 public:
  Linear() = default;
  Linear(Parameters& parameters,
         const std::string& name,
         std::int64_t in,
         std::int64_t out,
         bool zero = false);
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

  [[nodiscard]] const at::Tensor& weight() const noexcept { return weight_; }
  [[nodiscard]] const at::Tensor& bias() const noexcept { return bias_; }

 private:
  at::Tensor weight_;
  at::Tensor bias_;
};

/// Normalises the last axis (population variance, epsilon 1e-5), then scales and shifts.
class LayerNorm {
 public:
  LayerNorm() = default;
  LayerNorm(Parameters& parameters,
            const std::string& name,
            std::int64_t size,
            bool with_bias = true);
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  at::Tensor bias_;  // undefined without bias
};

/// A layer norm, or one whose scale and shift are linear in a condition c (both 0 at the start):
/// `(1 + scale(c)) * normalised(x) + shift(c)`.
class Norm {
 public:
  Norm() = default;
  /// Conditional where `condition_features` > 0.
  Norm(Parameters& parameters,
       const std::string& name,
       std::int64_t size,
       std::int64_t condition_features = 0);
  /// x [..., size], condition [..., feature], undefined if the norm has none.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x, const at::Tensor& condition = {}) const;

 private:
  bool conditional_ = false;
  LayerNorm plain_;
  Linear scale_;
  Linear shift_;
};

/// The two-layer network of a block, plain or gated.
class Mlp {
 public:
  Mlp() = default;
  Mlp(Parameters& parameters,
      const std::string& name,
      MlpKind kind,
      std::int64_t channels,
      std::int64_t hidden);
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x) const;

 private:
  MlpKind kind_ = MlpKind::kGelu;
  Linear in_;     // the gate, if gated
  Linear value_;  // gated only
  Linear out_;
};

}  // namespace askos::model
