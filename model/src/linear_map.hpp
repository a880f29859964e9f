// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace askos::model {

using TensorMap = std::function<at::Tensor(const at::Tensor&)>;

/// Records `y = forward(x)` as one node whose backward is `x_gradient = adjoint(y_gradient)`.
/// `forward` runs without recording. What `adjoint` holds must outlive the backward pass.
[[nodiscard]] at::Tensor linear_map(const at::Tensor& x,
                                    const TensorMap& forward,
                                    TensorMap adjoint);

}  // namespace askos::model
