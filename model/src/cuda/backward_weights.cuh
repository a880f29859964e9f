// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weight_parts.cuh"

namespace askos::model::cuda {

/// One part's share of dW and, as one more feature, db: parts[part][head * channel][feature + 1].
/// A block per part (blockIdx.x) and head (blockIdx.y). For what does not go to tensor cores.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    backward_weights(const __grid_constant__ BackwardTables<T> t) {
  constexpr int kRows = 16;
  constexpr int kMost = kMaxHeadSize * (kMaxFeatures + 1);
  constexpr int kSums = (kMost + kThreads - 1) / kThreads;
  __shared__ float query[kRows][kMaxHeadSize];
  __shared__ float grad[kRows][kMaxHeadSize];
  __shared__ float z[kRows][kMaxFeatures + 1];
  __shared__ float mean[kRows][kMaxFeatures + 1];
  const int head = static_cast<int>(blockIdx.y);
  const int columns = t.heads.features + 1;
  const std::int64_t column = static_cast<std::int64_t>(head) * t.heads.size;
  const TileRange tiles = part_tiles(t.graph.num_destinations, static_cast<int>(blockIdx.x));
  const std::int64_t end =
      min(tiles.end * kTileRows, static_cast<std::int64_t>(t.graph.num_destinations));
  float sums[kSums] = {};
  for (std::int64_t first = tiles.begin * kTileRows; first < end; first += kRows) {
    __syncthreads();
    for (int x = static_cast<int>(threadIdx.x); x < kRows * t.heads.size; x += kThreads) {
      const int r = x / t.heads.size;
      const int c = x % t.heads.size;
      const bool inside = first + r < end;
      query[r][c] = inside ? t.heads.scale * to_float(t.query.at(first + r)[column + c]) : 0.F;
      grad[r][c] = inside ? to_float(t.grad_out.at(first + r)[column + c]) : 0.F;
    }
    for (int x = static_cast<int>(threadIdx.x); x < kRows * columns; x += kThreads) {
      const int r = x / columns;
      const int f = x % columns;
      const std::int64_t i = first + r;
      z[r][f] = 0;
      mean[r][f] = 0;
      if (i < end && f < t.heads.features) {
        z[r][f] = t.grad_means[(i * t.heads.count + head) * t.heads.features + f];
        mean[r][f] = t.mean_features[(i * t.heads.count + head) * t.heads.features + f];
      } else if (i < end) {
        mean[r][f] =
            t.graph.destination_offsets[i] < t.graph.destination_offsets[i + 1] ? 1.F : 0.F;
      }
    }
    __syncthreads();
#pragma unroll
    for (int s = 0; s < kSums; ++s) {
      const int at = static_cast<int>(threadIdx.x) + s * kThreads;
      if (at >= t.heads.size * columns) break;
      const int c = at / columns;
      const int f = at % columns;
      for (int r = 0; r < kRows; ++r)
        sums[s] += fmaf(query[r][c], z[r][f], grad[r][c] * mean[r][f]);
    }
  }
  float* to =
      t.weight_parts +
      (blockIdx.x * static_cast<std::int64_t>(t.heads.count) * t.heads.size + column) * columns;
#pragma unroll
  for (int s = 0; s < kSums; ++s) {
    const int at = static_cast<int>(threadIdx.x) + s * kThreads;
    if (at < t.heads.size * columns) to[at] = sums[s];
  }
}

/// Adds the parts up in a fixed order: 32 channels and features a block. `add`: to what is there.
__global__ void sum_weight_parts(const float* parts,
                                 int num_parts,
                                 int num_channels,
                                 int num_features,
                                 float* grad_weight,
                                 float* grad_bias,
                                 bool add);

}  // namespace askos::model::cuda
