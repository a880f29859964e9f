// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tile.cuh"

namespace askos::model::cuda {

/// Sums of float32 over very many edges are made of sums over this many, to round less.
inline constexpr int kSettledEdges = 128;

__device__ inline void settle(float (&sum)[kLaneChannels], float (&part)[kLaneChannels]) {
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) {
    sum[c] += part[c];
    part[c] = 0;
  }
}

/// Gradients of keys and values: a warp per source and group of heads, over the edges out of it.
template <typename T, typename L>
__global__ void __launch_bounds__(kThreads, 4)
    backward_sources(const __grid_constant__ BackwardTables<T> t) {
  constexpr int kAhead = sizeof(T) == 2 ? 4 : 2;
  const Lane<L> lane(t.heads, static_cast<int>(blockIdx.y));
  const std::int64_t j = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (j >= t.graph.num_sources) return;
  const int begin = __ldg(t.graph.source_offsets + j);
  const int end = __ldg(t.graph.source_offsets + j + 1);
  float grad_key[kLaneChannels] = {};
  float grad_value[kLaneChannels] = {};
  float settled_key[kLaneChannels] = {};
  float settled_value[kLaneChannels] = {};
#pragma unroll 1
  for (int x = begin; x < end; x += kAhead) {
    Stored<T> queries[kAhead];
    Stored<T> grads[kAhead];
    float2 pair[kAhead];
#pragma unroll
    for (int b = 0; b < kAhead; ++b) {
      const int at = min(x + b, end - 1);
      const std::int64_t edge = __ldg(t.graph.source_edges + at);
      const int i = __ldg(t.graph.source_destinations + at);
      queries[b] = load<L::kAligned>(t.query.at(i) + lane.column, lane.num_channels);
      grads[b] = load<L::kAligned>(t.grad_out.at(i) + lane.column, lane.num_channels);
      pair[b] = make_float2(0, 0);
      if (x + b < end && lane.has_head)
        pair[b] = __ldg(t.handed + edge * t.heads.count + lane.head);
    }
#pragma unroll
    for (int b = 0; b < kAhead; ++b) {
      float row[kLaneChannels];
      unpack(row, queries[b]);
      add_scaled(grad_key, pair[b].y, row);
      unpack(row, grads[b]);
      add_scaled(grad_value, pair[b].x, row);
    }
    if constexpr (sizeof(T) == 4) {
      if ((x - begin) % kSettledEdges == kSettledEdges - kAhead) {
        settle(settled_key, grad_key);
        settle(settled_value, grad_value);
      }
    }
  }
  settle(settled_key, grad_key);
  settle(settled_value, grad_value);
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) settled_key[c] *= t.heads.scale;
  store<L::kAligned>(t.grad_key.at(j) + lane.column, settled_key, lane.num_channels);
  store<L::kAligned>(t.grad_value.at(j) + lane.column, settled_value, lane.num_channels);
}

}  // namespace askos::model::cuda
