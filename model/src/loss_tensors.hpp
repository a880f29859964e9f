// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "loss_loop.hpp"

namespace askos::model {

/// What `partial_loss` returns, from LibTorch operations on any device; the loops are for the CPU.
/// Scalers must be of the prediction's type and device.
[[nodiscard]] at::Tensor partial_loss_of_tensors(const at::Tensor& prediction,
                                                 const at::Tensor& target,
                                                 const std::vector<at::Tensor>& scalers,
                                                 const LossPlan& plan);

}  // namespace askos::model
