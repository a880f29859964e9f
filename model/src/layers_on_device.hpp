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

}  // namespace askos::model
