// SPDX-License-Identifier: Apache-2.0
// A block takes some rows of 256 columns, eight columns a lane, each warp every eighth row; the
// blocks' sums are then added in order.
#include "column_sums.hpp"
#include "elements.cuh"
#include "gelu.hpp"

#include <algorithm>

namespace askos::model::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kColumns = 32 * kLaneChannels;  // of a block
constexpr int kRowsAhead = 2;
constexpr std::int64_t kFewestRows = 64;  // of a block
constexpr std::int64_t kMostParts = 256;

int num_parts(std::int64_t num_rows) {
  return static_cast<int>(
      std::clamp((num_rows + kFewestRows - 1) / kFewestRows, std::int64_t{1}, kMostParts));
}

/// Turns x into gelu(x) and `gradient` into that of x.
__device__ inline void pass(float& x, float& gradient) {
  constexpr float kInverseRoot2 = 0.70710678118654752F;
  constexpr float kInverseRootTau = 0.39894228040143268F;
  const float share = 0.5F * (1 + erff(x * kInverseRoot2));  // Phi(x)
  const float density = kInverseRootTau * __expf(-0.5F * x * x);
  gradient *= fmaf(x, density, share);
  x *= share;
}

// `grad_out` may be `grad_x`: each entry is read by the lane that writes it, before that.
template <typename T>
__global__ void __launch_bounds__(32 * kWarps) gelu_rows(const T* x,
                                                         const T* grad_out,
                                                         std::int64_t num_rows,
                                                         std::int64_t num_columns,
                                                         T* out,
                                                         T* grad_x,
                                                         float* parts) {
  __shared__ float sums[kWarps][kColumns + 4];
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kColumns;
  const std::int64_t column = first + lane * kLaneChannels;
  const std::int64_t begin = num_rows * blockIdx.y / gridDim.y;
  const std::int64_t end = num_rows * (blockIdx.y + 1) / gridDim.y;
  float sum[kLaneChannels] = {};
  if (column < num_columns) {
    for (std::int64_t row = begin + warp; row < end; row += kWarps * kRowsAhead) {
      uint4 inputs[kRowsAhead];
      uint4 gradients[kRowsAhead];
#pragma unroll
      for (int r = 0; r < kRowsAhead; ++r) {
        const std::int64_t at = min(row + r * kWarps, end - 1) * num_columns + column;
        inputs[r] = *reinterpret_cast<const uint4*>(x + at);
        gradients[r] = *reinterpret_cast<const uint4*>(grad_out + at);
      }
#pragma unroll
      for (int r = 0; r < kRowsAhead; ++r) {
        if (row + r * kWarps >= end) break;
        float values[kLaneChannels];
        float slopes[kLaneChannels];
        unpack(values, Stored<T>{inputs[r]});
        unpack(slopes, Stored<T>{gradients[r]});
#pragma unroll
        for (int c = 0; c < kLaneChannels; ++c) {
          pass(values[c], slopes[c]);
          sum[c] += slopes[c];
        }
        const std::int64_t at = (row + r * kWarps) * num_columns + column;
        store<true>(out + at, values, kLaneChannels);
        store<true>(grad_x + at, slopes, kLaneChannels);
      }
    }
  }
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) sums[warp][lane * kLaneChannels + c] = sum[c];
  __syncthreads();
  const int own = static_cast<int>(threadIdx.x);
  if (first + own >= num_columns) return;
  float total = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) total += sums[w][own];
  parts[blockIdx.y * num_columns + first + own] = total;
}

}  // namespace

bool has_gelu(Element element, std::int64_t num_columns) {
  return sums_columns(element, num_columns);
}

std::size_t gelu_workspace(std::int64_t num_rows, std::int64_t num_columns) {
  return static_cast<std::size_t>(num_parts(num_rows) * num_columns);
}

cudaError_t gelu_backward(Element element,
                          const void* x,
                          const void* grad_out,
                          std::int64_t num_rows,
                          std::int64_t num_columns,
                          void* out,
                          void* grad_x,
                          float* sums,
                          float* workspace,
                          cudaStream_t stream) {
  if (!has_gelu(element, num_columns)) return cudaErrorInvalidValue;
  const dim3 grid(static_cast<unsigned>((num_columns + kColumns - 1) / kColumns),
                  static_cast<unsigned>(num_parts(num_rows)));
  const auto start = [&](auto tag) {
    using T = decltype(tag);
    gelu_rows<<<grid, 32 * kWarps, 0, stream>>>(
        static_cast<const T*>(x), static_cast<const T*>(grad_out), num_rows, num_columns,
        static_cast<T*>(out), static_cast<T*>(grad_x), workspace);
  };
  if (element == Element::kBfloat16) {
    start(__nv_bfloat16{});
  } else {
    start(__half{});
  }
  if (const auto error = cudaGetLastError(); error != cudaSuccess) return error;
  return sum_parts(workspace, num_parts(num_rows), num_columns, sums, stream);
}

}  // namespace askos::model::cuda
