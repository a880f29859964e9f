// SPDX-License-Identifier: Apache-2.0
// A warp takes a row, in words of eight channels a lane. Backward, blocks take many rows each, so
// that the sums for scale and shift stay in registers, and read each row once for all gradients.
#include "column_sums.hpp"
#include "elements.cuh"
#include "layer_norm.hpp"

#include <algorithm>

namespace askos::model::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kWordChannels = 32 * kLaneChannels;  // that a warp reads at once
constexpr int kMostWords = 4;
constexpr int kBlocksAtOnce = 3;           // of a multiprocessor, backward
constexpr std::int64_t kMostBlocks = 396;  // backward; the same on any device
constexpr float kEpsilon = 1e-5F;

__device__ inline float sum_over_warp(float x) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(~0U, x, step);
  return x;
}

/// The lane's channels of a row.
template <typename T, int Words>
struct RowPart {
  float x[Words][kLaneChannels];

  __device__ void load_row(const T* row, int lane) {
    Stored<T> stored[Words];
#pragma unroll
    for (int w = 0; w < Words; ++w)
      stored[w] = load<true>(row + w * kWordChannels + lane * kLaneChannels, kLaneChannels);
#pragma unroll
    for (int w = 0; w < Words; ++w) unpack(x[w], stored[w]);
  }
};

__device__ inline void load_floats(float (&x)[kLaneChannels], const float* from) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float4 four = __ldg(reinterpret_cast<const float4*>(from) + half);
    x[4 * half] = four.x;
    x[4 * half + 1] = four.y;
    x[4 * half + 2] = four.z;
    x[4 * half + 3] = four.w;
  }
}

template <typename T, int Words>
__global__ void __launch_bounds__(32 * kWarps) normalise(const T* x,
                                                         std::int64_t num_rows,
                                                         const float* scale,
                                                         const float* shift,
                                                         T* out,
                                                         float2* statistics) {
  constexpr int kChannels = Words * kWordChannels;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (row >= num_rows) return;
  RowPart<T, Words> part;
  part.load_row(x + row * kChannels, lane);
  float sum = 0;
#pragma unroll
  for (int w = 0; w < Words; ++w)
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) sum += part.x[w][c];
  const float mean = sum_over_warp(sum) / kChannels;
  float squares = 0;
#pragma unroll
  for (int w = 0; w < Words; ++w)
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      part.x[w][c] -= mean;
      squares = fmaf(part.x[w][c], part.x[w][c], squares);
    }
  const float inverse = rsqrtf(sum_over_warp(squares) / kChannels + kEpsilon);
#pragma unroll
  for (int w = 0; w < Words; ++w) {
    const int channel = w * kWordChannels + lane * kLaneChannels;
    float factors[kLaneChannels];
    float shifts[kLaneChannels] = {};
    load_floats(factors, scale + channel);
    if (shift != nullptr) load_floats(shifts, shift + channel);
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c)
      part.x[w][c] = fmaf(part.x[w][c] * inverse, factors[c], shifts[c]);
    store<true>(out + row * kChannels + channel, part.x[w], kLaneChannels);
  }
  if (lane == 0) statistics[row] = make_float2(mean, inverse);
}

/// parts[block][scale, shift][channel]: sums over the block's rows, of a warp each `kWarps`-th.
template <typename T, int Words>
__global__ void __launch_bounds__(32 * kWarps, kBlocksAtOnce)
    normalise_backward(const T* x,
                       std::int64_t num_rows,
                       const float* scale,
                       const float2* statistics,
                       const T* grad_out,
                       T* grad_x,
                       float* parts) {
  constexpr int kChannels = Words * kWordChannels;
  __shared__ float shared[kWarps][kWordChannels + 4];
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const std::int64_t begin = num_rows * blockIdx.x / gridDim.x;
  const std::int64_t end = num_rows * (blockIdx.x + 1) / gridDim.x;
  float grad_scale[Words][kLaneChannels] = {};
  float grad_shift[Words][kLaneChannels] = {};
  for (std::int64_t row = begin + warp; row < end; row += kWarps) {
    RowPart<T, Words> part;
    RowPart<T, Words> grad;
    part.load_row(x + row * kChannels, lane);
    grad.load_row(grad_out + row * kChannels, lane);
    const float2 mean_and_inverse = __ldg(statistics + row);
    float sum = 0;
    float product = 0;
#pragma unroll
    for (int w = 0; w < Words; ++w) {
      float factors[kLaneChannels];
      load_floats(factors, scale + w * kWordChannels + lane * kLaneChannels);
#pragma unroll
      for (int c = 0; c < kLaneChannels; ++c) {
        const float normal = (part.x[w][c] - mean_and_inverse.x) * mean_and_inverse.y;
        part.x[w][c] = normal;
        grad_scale[w][c] = fmaf(grad.x[w][c], normal, grad_scale[w][c]);
        grad_shift[w][c] += grad.x[w][c];
        grad.x[w][c] *= factors[c];
        sum += grad.x[w][c];
        product = fmaf(grad.x[w][c], normal, product);
      }
    }
    const float mean = sum_over_warp(sum) / kChannels;
    const float slope = sum_over_warp(product) / kChannels;
#pragma unroll
    for (int w = 0; w < Words; ++w) {
#pragma unroll
      for (int c = 0; c < kLaneChannels; ++c)
        grad.x[w][c] = mean_and_inverse.y * (grad.x[w][c] - mean - part.x[w][c] * slope);
      store<true>(grad_x + row * kChannels + w * kWordChannels + lane * kLaneChannels, grad.x[w],
                  kLaneChannels);
    }
  }
  float* to = parts + static_cast<std::int64_t>(blockIdx.x) * 2 * kChannels;
#pragma unroll
  for (int table = 0; table < 2; ++table)
#pragma unroll
    for (int w = 0; w < Words; ++w) {
      __syncthreads();
#pragma unroll
      for (int c = 0; c < kLaneChannels; ++c)
        shared[warp][lane * kLaneChannels + c] = table == 0 ? grad_scale[w][c] : grad_shift[w][c];
      __syncthreads();
      for (int c = static_cast<int>(threadIdx.x); c < kWordChannels; c += 32 * kWarps) {
        float total = 0;
#pragma unroll
        for (int v = 0; v < kWarps; ++v) total += shared[v][c];
        to[table * kChannels + w * kWordChannels + c] = total;
      }
    }
}

std::int64_t num_blocks(const NormShape& shape) {
  return std::clamp((shape.num_rows + 4 * kWarps - 1) / (4 * kWarps), std::int64_t{1}, kMostBlocks);
}

/// Calls `launch(element, words)` with both as types.
template <typename Launch>
void with_row(const NormShape& shape, Launch launch) {
  const auto with_words = [&](auto element) {
    switch (shape.num_channels / kWordChannels) {
      case 1: launch(element, std::integral_constant<int, 1>{}); break;
      case 2: launch(element, std::integral_constant<int, 2>{}); break;
      case 3: launch(element, std::integral_constant<int, 3>{}); break;
      default: launch(element, std::integral_constant<int, kMostWords>{}); break;
    }
  };
  if (shape.element == Element::kBfloat16) {
    with_words(__nv_bfloat16{});
  } else {
    with_words(__half{});
  }
}

}  // namespace

bool norms(const NormShape& shape) {
  return shape.element != Element::kFloat32 && shape.num_channels > 0 &&
         shape.num_channels % kWordChannels == 0 &&
         shape.num_channels <= kMostWords * kWordChannels;
}

cudaError_t norm_forward(const NormShape& shape,
                         const void* x,
                         const float* scale,
                         const float* shift,
                         void* out,
                         float* statistics,
                         cudaStream_t stream) {
  if (!norms(shape)) return cudaErrorInvalidValue;
  if (shape.num_rows == 0) return cudaSuccess;
  with_row(shape, [&](auto element, auto words) {
    using T = decltype(element);
    normalise<T, decltype(words)::value>
        <<<static_cast<unsigned>((shape.num_rows + kWarps - 1) / kWarps), 32 * kWarps, 0, stream>>>(
            static_cast<const T*>(x), shape.num_rows, scale, shift, static_cast<T*>(out),
            reinterpret_cast<float2*>(statistics));
  });
  return cudaGetLastError();
}

std::size_t norm_workspace(const NormShape& shape) {
  return static_cast<std::size_t>(num_blocks(shape) * 2 * shape.num_channels);
}

cudaError_t norm_backward(const NormShape& shape,
                          const void* x,
                          const float* scale,
                          const float* statistics,
                          const void* grad_out,
                          void* grad_x,
                          float* grad_parameters,
                          float* workspace,
                          cudaStream_t stream) {
  if (!norms(shape)) return cudaErrorInvalidValue;
  const std::int64_t blocks = num_blocks(shape);
  with_row(shape, [&](auto element, auto words) {
    using T = decltype(element);
    normalise_backward<T, decltype(words)::value>
        <<<static_cast<unsigned>(blocks), 32 * kWarps, 0, stream>>>(
            static_cast<const T*>(x), shape.num_rows, scale,
            reinterpret_cast<const float2*>(statistics), static_cast<const T*>(grad_out),
            static_cast<T*>(grad_x), workspace);
  });
  if (const auto error = cudaGetLastError(); error != cudaSuccess) return error;
  return sum_parts(workspace, static_cast<int>(blocks), std::int64_t{2} * shape.num_channels,
                   grad_parameters, stream);
}

}  // namespace askos::model::cuda
