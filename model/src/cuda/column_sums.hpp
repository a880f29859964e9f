// SPDX-License-Identifier: Apache-2.0
// Sums over the rows of a table on a CUDA device, such as the gradient of a bias. Needs no
// LibTorch; calls return at once, wait for nothing and repeat bit by bit.
#pragma once

#include "attention.hpp"

namespace askos::model::cuda {

/// Whether `column_sums` takes tables of so many columns of this type.
[[nodiscard]] bool sums_columns(Element element, std::int64_t num_columns);

/// float32 numbers that `column_sums` needs for a while.
[[nodiscard]] std::size_t column_sums_workspace(std::int64_t num_rows, std::int64_t num_columns);

/// Starts sums[column] = sum over rows of `table` [row, column], contiguous, aligned to 16 bytes.
/// Returns cudaErrorInvalidValue for what `sums_columns` denies.
[[nodiscard]] cudaError_t column_sums(Element element,
                                      const void* table,
                                      std::int64_t num_rows,
                                      std::int64_t num_columns,
                                      float* sums,
                                      float* workspace,
                                      cudaStream_t stream);

/// Starts sums[column] = sum over parts of `parts` [part, column], in order.
[[nodiscard]] cudaError_t sum_parts(
    const float* parts, int num_parts, std::int64_t num_columns, float* sums, cudaStream_t stream);

}  // namespace askos::model::cuda
