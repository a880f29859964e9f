// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tile_products.cuh"

namespace askos::model::cuda {

/// Edges whose rows are under way at once.
template <typename T>
inline constexpr int kEdgesAhead = sizeof(T) == 2 ? 4 : 2;

inline constexpr float kLowest = -1e30F;

template <typename L>
struct ForwardShared {
  typename L::ChannelRows sums;
  typename L::FeatureRows features;  // first u, then m
};

/// Attends at one tile of destinations (blockIdx.x) for one group of heads (blockIdx.y, the slow
/// index: blocks in flight share a group, and its part of the rows stays in the caches).
template <typename T, typename L>
__global__ void __launch_bounds__(kThreads, 3) attend(const __grid_constant__ ForwardTables<T> t) {
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  auto& shared = *reinterpret_cast<ForwardShared<L>*>(shared_bytes);
  constexpr int kAhead = kEdgesAhead<T>;
  const int group = static_cast<int>(blockIdx.y);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kTileRows;
  const Lane<L> lane(t.heads, group);

  if constexpr (kOnTensorCores<T, L>) {
    for (int h = static_cast<int>(threadIdx.x / 32); h < L::kHeads; h += kWarps)
      project_head<L>(shared.features, t.query, first, t, h, group * L::kHeads + h, t.heads.scale);
  } else {
    project_rows<L>(shared.features, t.query, first, t.graph.num_destinations, t.heads, group,
                    t.edges.weight, t.heads.scale);
  }
  __syncthreads();
  for (int r = static_cast<int>(threadIdx.x / 32); r < kTileRows; r += kWarps) {
    const std::int64_t i = first + r;
    if (i >= t.graph.num_destinations) break;
    const int begin = __ldg(t.graph.destination_offsets + i);
    const int end = __ldg(t.graph.destination_offsets + i + 1);
    float query[kLaneChannels];
    unpack(query, load<L::kAligned>(t.query.at(i) + lane.column, lane.num_channels));
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) query[c] *= lane.num_channels > 0 ? t.heads.scale : 0.F;
    float u[L::kLaneFeatures];
    float mean[L::kLaneFeatures];
#pragma unroll
    for (int a = 0; a < L::kLaneFeatures; ++a) {
      u[a] = shared.features[r][lane.feature(a)];
      mean[a] = 0;
    }
    float sum[kLaneChannels] = {};
    float largest = kLowest;
    float total = 0;
#pragma unroll 1
    for (int e = begin; e < end; e += kAhead) {
      Stored<T> rows[kAhead];
      float features[kAhead][L::kLaneFeatures];
      float logit[kAhead];
      int source[kAhead];
      float x[kLaneChannels];
#pragma unroll
      for (int b = 0; b < kAhead; ++b) source[b] = __ldg(t.graph.sources + min(e + b, end - 1));
#pragma unroll
      for (int b = 0; b < kAhead; ++b) {
        rows[b] = load<L::kAligned>(t.key.at(source[b]) + lane.column, lane.num_channels);
        load_features<L>(features[b], t.edges.features, min(e + b, end - 1), t.heads.features,
                         lane.in_head);
      }
      float larger = largest;
#pragma unroll
      for (int b = 0; b < kAhead; ++b) {
        unpack(x, rows[b]);
        float part = dot(query, x);
#pragma unroll
        for (int a = 0; a < L::kLaneFeatures; ++a) part = fmaf(u[a], features[b][a], part);
        logit[b] = sum_over_head<L>(part);
        if (e + b >= end) logit[b] = kLowest;
        larger = fmaxf(larger, logit[b]);
      }
#pragma unroll
      for (int b = 0; b < kAhead; ++b)
        rows[b] = load<L::kAligned>(t.value.at(source[b]) + lane.column, lane.num_channels);
      const float shrink = exponential<T>(largest - larger);
      largest = larger;
      total *= shrink;
#pragma unroll
      for (int a = 0; a < L::kLaneFeatures; ++a) mean[a] *= shrink;
#pragma unroll
      for (int c = 0; c < kLaneChannels; ++c) sum[c] *= shrink;
#pragma unroll
      for (int b = 0; b < kAhead; ++b) {
        const float weight = e + b < end ? exponential<T>(logit[b] - largest) : 0.F;
        total += weight;
#pragma unroll
        for (int a = 0; a < L::kLaneFeatures; ++a) mean[a] = fmaf(weight, features[b][a], mean[a]);
        unpack(x, rows[b]);
        add_scaled(sum, weight, x);
      }
    }
    const float inverse = begin < end ? 1.F / total : 0.F;
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c)
      shared.sums[r][lane.index * kLaneChannels + c] = sum[c] * inverse;
#pragma unroll
    for (int a = 0; a < L::kLaneFeatures; ++a)
      shared.features[r][lane.feature(a)] = mean[a] * inverse;
    if (lane.has_head && lane.in_head == 0)
      t.softmax[i * t.heads.count + lane.head] = make_float2(largest, total);
  }
  store_tile<L>(t.out, shared.sums, shared.features, first, t, group, t.edges.bias, 1.F, t.added);
}

}  // namespace askos::model::cuda
