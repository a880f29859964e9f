// SPDX-License-Identifier: Apache-2.0
// The backward pass of the exact GELU over rows of 16-bit numbers on a CUDA device. Needs no
// LibTorch; calls return at once, wait for nothing and repeat bit by bit.
#pragma once

#include "attention.hpp"

namespace askos::model::cuda {

/// Whether `gelu_backward` takes tables of so many columns of this type.
[[nodiscard]] bool has_gelu(Element element, std::int64_t num_columns);

/// float32 numbers that `gelu_backward` needs for a while.
[[nodiscard]] std::size_t gelu_workspace(std::int64_t num_rows, std::int64_t num_columns);

/// Starts, in one pass over x and grad_out [row, column], contiguous and aligned to 16 bytes:
/// out = gelu(x), which the gradient of the next layer's weight needs; grad_x = grad_out gelu'(x),
/// which may be the memory of grad_out; and sums[column] = sum over rows of grad_x, in float32, the
/// gradient of the bias that x was made with. gelu(x) = x Phi(x) (arXiv:1606.08415).
/// Returns cudaErrorInvalidValue for what `has_gelu` denies.
[[nodiscard]] cudaError_t gelu_backward(Element element,
                                        const void* x,
                                        const void* grad_out,
                                        std::int64_t num_rows,
                                        std::int64_t num_columns,
                                        void* out,
                                        void* grad_x,
                                        float* sums,
                                        float* workspace,
                                        cudaStream_t stream);

}  // namespace askos::model::cuda
