// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace askos::model {

// Under autocast on a CUDA device, parameters stay in float32 and activations in 16 bits. What
// these do not take goes through LibTorch; both return the same but for rounding.

/// `x weight^T + bias` on the last axis; x [..., in], weight [out, in] and bias [out] in float32.
/// In autocast's type; gradients of weight and bias are summed and returned in float32.
[[nodiscard]] at::Tensor linear_on_device(const at::Tensor& x,
                                          const at::Tensor& weight,
                                          const at::Tensor& bias);

/// A layer norm of the last axis (epsilon 1e-5) in the type of x, which has 16 bits; weight and
/// bias (or none) in float32, statistics and gradients of parameters too.
[[nodiscard]] at::Tensor layer_norm_on_device(const at::Tensor& x,
                                              const at::Tensor& weight,
                                              const at::Tensor& bias);

/// Whether the functions below take x and the shift of its norm: 16 bits under autocast, a width
/// that the kernels have.
[[nodiscard]] bool takes_normed(const at::Tensor& x, const at::Tensor& norm_bias);

/// `norm(x) weight^T + bias` on the last axis as one function that keeps x alone for backward,
/// where it makes the norm again. Gradients of parameters are summed and returned in float32.
[[nodiscard]] at::Tensor normed_linear_on_device(const at::Tensor& x,
                                                 const at::Tensor& norm_weight,
                                                 const at::Tensor& norm_bias,
                                                 const at::Tensor& weight,
                                                 const at::Tensor& bias);

/// Parameters of a block's second half, all in float32; `*_in` [hidden, channel].
struct NormedMlp {
  at::Tensor norm_weight;
  at::Tensor norm_bias;
  at::Tensor weight_in;
  at::Tensor bias_in;
  at::Tensor weight_out;
  at::Tensor bias_out;
};

/// `takes_normed`, and a hidden width that the kernels have.
[[nodiscard]] bool takes_normed_mlp(const at::Tensor& z, const NormedMlp& mlp);

/// `z + W_out gelu(W_in norm(z) + b_in) + b_out` on the last axis of z, in its type, as one
/// function that keeps only z and the argument of the GELU for backward, and makes all else again,
/// some rows at a time. Gradients of parameters are summed and returned in float32.
[[nodiscard]] at::Tensor normed_mlp_on_device(const at::Tensor& z, const NormedMlp& mlp);

}  // namespace askos::model
