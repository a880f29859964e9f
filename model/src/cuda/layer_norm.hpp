// SPDX-License-Identifier: Apache-2.0
// Layer norm over rows of 16-bit numbers on a CUDA device, parameters and statistics in float32.
// Needs no LibTorch; calls return at once, wait for nothing and repeat bit by bit.
#pragma once

#include "attention.hpp"

namespace askos::model::cuda {

/// Rows [row, channel], contiguous and aligned to 16 bytes; scale and shift [channel].
struct NormShape {
  Element element = Element::kBfloat16;
  std::int64_t num_rows = 0;
  int num_channels = 0;
};

/// Whether the kernels take rows of this kind; all else goes through LibTorch.
[[nodiscard]] bool norms(const NormShape& shape);

/// Starts out = scale (x - mean) / deviation + shift; statistics [row, 2] get mean and 1 /
/// deviation. `shift` may be null.
[[nodiscard]] cudaError_t norm_forward(const NormShape& shape,
                                       const void* x,
                                       const float* scale,
                                       const float* shift,
                                       void* out,
                                       float* statistics,
                                       cudaStream_t stream);

/// float32 numbers that `norm_backward` needs for a while.
[[nodiscard]] std::size_t norm_workspace(const NormShape& shape);

/// Starts the gradients of `norm_forward`: of x, and of scale and shift, [2, channel].
[[nodiscard]] cudaError_t norm_backward(const NormShape& shape,
                                        const void* x,
                                        const float* scale,
                                        const float* statistics,
                                        const void* grad_out,
                                        void* grad_x,
                                        float* grad_parameters,
                                        float* workspace,
                                        cudaStream_t stream);

}  // namespace askos::model::cuda
