// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tile_products.cuh"
#include "weight_parts.cuh"

namespace askos::model::cuda {

template <typename L>
struct BackwardShared {
  typename L::ChannelRows sums;
  typename L::FeatureRows query_features;  // first u, then z
  typename L::FeatureRows grad_features;   // first n, then m
  WeightSums<L> weights;
};

/// Bytes of it that a kernel uses.
template <typename T, typename L>
inline constexpr std::size_t kBackwardShared =
    sizeof(BackwardShared<L>) - (kOnTensorCores<T, L> ? 0 : sizeof(WeightSums<L>));

/// Edges whose rows are under way at once; more would cost a block per multiprocessor its
/// registers.
inline constexpr int kBackwardEdgesAhead = 2;

/// Gradients of the edges into destination `i`: hands (w, ds) on and, where wanted, adds to da.
/// The lane holds `u`, `n` and D = sum w dw of its head.
template <typename T, typename L>
__device__ void hand_on(const BackwardTables<T>& t,
                        const Lane<L>& lane,
                        int begin,
                        int end,
                        float mean_dw,
                        const float (&u)[L::kLaneFeatures],
                        const float (&n)[L::kLaneFeatures],
                        bool add) {
  constexpr int kAhead = 4;
  __syncwarp();  // the first lane of each head wrote what all its lanes read
#pragma unroll 1
  for (int e = begin; e < end; e += kAhead) {
    float2 pair[kAhead];
    float before[kAhead][L::kLaneFeatures];
#pragma unroll
    for (int b = 0; b < kAhead; ++b) {
      const std::int64_t edge = min(e + b, end - 1);
      pair[b] = make_float2(0, 0);
      if (lane.has_head) pair[b] = t.handed[edge * t.heads.count + lane.head];
#pragma unroll
      for (int a = 0; a < L::kLaneFeatures; ++a) {
        const int f = lane.in_head + a * L::kLanes;
        before[b][a] = 0;
        if (t.grad_features != nullptr && add && lane.warp_head == 0 && f < t.heads.features)
          before[b][a] = t.grad_features[edge * t.heads.features + f];
      }
    }
    __syncwarp();
#pragma unroll
    for (int b = 0; b < kAhead; ++b) {
      const std::int64_t edge = e + b;
      const float ds = pair[b].x * (pair[b].y - mean_dw);
      if (edge < end && lane.has_head && lane.in_head == 0)
        t.handed[edge * t.heads.count + lane.head] = make_float2(pair[b].x, ds);
      if (t.grad_features == nullptr) continue;
#pragma unroll
      for (int a = 0; a < L::kLaneFeatures; ++a) {
        const int f = lane.in_head + a * L::kLanes;
        const float sum = sum_over_heads<L>(fmaf(ds, u[a], pair[b].x * n[a]));
        if (edge < end && lane.warp_head == 0 && f < t.heads.features)
          t.grad_features[edge * t.heads.features + f] = before[b][a] + sum;
      }
    }
  }
}

/// Gradients of the queries of one part's tiles (blockIdx.x) and of the edges into them. blockIdx.y
/// splits the groups of heads; only one block may take them all where gradients of features are
/// wanted: each group adds to what the one before it left.
///
/// One sweep over the edges suffices: ds_e = w_e (dw_e - D) is linear in D, so sums with w dw and
/// with w are kept apart until D is known. dw counts from the first edge's: that leaves ds as it is
/// and keeps what all edges have in common out of the difference.
template <typename T, typename L>
__global__ void __launch_bounds__(kThreads, 3)
    backward_destinations(const __grid_constant__ BackwardTables<T> t) {
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  auto& shared = *reinterpret_cast<BackwardShared<L>*>(shared_bytes);
  constexpr int kAhead = kBackwardEdgesAhead;
  const TileRange tiles = part_tiles(t.graph.num_destinations, static_cast<int>(blockIdx.x));
  const int num_groups = (t.heads.count + L::kHeads - 1) / L::kHeads;

  for (int group = static_cast<int>(blockIdx.y); group < num_groups;
       group += static_cast<int>(gridDim.y)) {
    const Lane<L> lane(t.heads, group);
    if constexpr (kOnTensorCores<T, L>) clear<L>(shared.weights);
    for (std::int64_t first = tiles.begin * kTileRows; first < tiles.end * kTileRows;
         first += kTileRows) {
      __syncthreads();  // the tile before is done with shared memory
      project_both<L>(shared.query_features, shared.grad_features, first, t, group);
      __syncthreads();
      for (int r = static_cast<int>(threadIdx.x / 32); r < kTileRows; r += kWarps) {
        const std::int64_t i = first + r;
        if (i >= t.graph.num_destinations) break;
        const int begin = __ldg(t.graph.destination_offsets + i);
        const int end = __ldg(t.graph.destination_offsets + i + 1);
        float query[kLaneChannels];
        float grad[kLaneChannels];
        unpack(query, load<L::kAligned>(t.query.at(i) + lane.column, lane.num_channels));
        unpack(grad, load<L::kAligned>(t.grad_out.at(i) + lane.column, lane.num_channels));
#pragma unroll
        for (int c = 0; c < kLaneChannels; ++c) {
          query[c] *= lane.num_channels > 0 ? t.heads.scale : 0.F;
          grad[c] *= lane.num_channels > 0 ? 1.F : 0.F;
        }
        float u[L::kLaneFeatures];
        float n[L::kLaneFeatures];
        float mean[L::kLaneFeatures] = {};
        float z[L::kLaneFeatures] = {};
#pragma unroll
        for (int a = 0; a < L::kLaneFeatures; ++a) {
          u[a] = shared.query_features[r][lane.feature(a)];
          n[a] = shared.grad_features[r][lane.feature(a)];
        }
        float2 softmax = make_float2(0, 1);
        if (lane.has_head && begin < end) softmax = t.softmax[i * t.heads.count + lane.head];
        const float inverse = 1.F / softmax.y;
        float weighted[kLaneChannels] = {};  // sum w dw k
        float plain[kLaneChannels] = {};     // sum w k
        float mean_dw = 0;
        float origin = 0;
#pragma unroll 1
        for (int e = begin; e < end; e += kAhead) {
          Stored<T> keys[kAhead];
          Stored<T> values[kAhead];
          float features[kAhead][L::kLaneFeatures];
#pragma unroll
          for (int b = 0; b < kAhead; ++b) {
            const int edge = min(e + b, end - 1);
            const int source = __ldg(t.graph.sources + edge);
            keys[b] = load<L::kAligned>(t.key.at(source) + lane.column, lane.num_channels);
            values[b] = load<L::kAligned>(t.value.at(source) + lane.column, lane.num_channels);
            load_features<L>(features[b], t.edges.features, edge, t.heads.features, lane.in_head);
          }
#pragma unroll
          for (int b = 0; b < kAhead; ++b) {
            float key[kLaneChannels];
            float value[kLaneChannels];
            unpack(key, keys[b]);
            unpack(value, values[b]);
            float logit = dot(query, key);
            float dw = dot(grad, value);
#pragma unroll
            for (int a = 0; a < L::kLaneFeatures; ++a) {
              logit = fmaf(u[a], features[b][a], logit);
              dw = fmaf(n[a], features[b][a], dw);
            }
            logit = sum_over_head<L>(logit);
            dw = sum_over_head<L>(dw);
            if (e + b == begin) origin = dw;
            dw -= origin;
            const float w = e + b < end ? exponential<T>(logit - softmax.x) * inverse : 0.F;
            const float wdw = w * dw;
            mean_dw += wdw;
            add_scaled(weighted, wdw, key);
            add_scaled(plain, w, key);
#pragma unroll
            for (int a = 0; a < L::kLaneFeatures; ++a) {
              z[a] = fmaf(wdw, features[b][a], z[a]);
              mean[a] = fmaf(w, features[b][a], mean[a]);
            }
            if (e + b < end && lane.has_head && lane.in_head == 0)
              t.handed[static_cast<std::int64_t>(e + b) * t.heads.count + lane.head] =
                  make_float2(w, dw);
          }
        }
#pragma unroll
        for (int c = 0; c < kLaneChannels; ++c)
          shared.sums[r][lane.index * kLaneChannels + c] = fmaf(-mean_dw, plain[c], weighted[c]);
#pragma unroll
        for (int a = 0; a < L::kLaneFeatures; ++a) {
          const int f = lane.in_head + a * L::kLanes;
          z[a] = fmaf(-mean_dw, mean[a], z[a]);
          shared.query_features[r][lane.feature(a)] = z[a];
          if constexpr (kOnTensorCores<T, L>) {
            // One feature more, 1 where there are edges, makes the bias's gradient.
            const float one = f == t.heads.features && begin < end ? 1.F : 0.F;
            shared.grad_features[r][lane.feature(a)] = f < t.heads.features ? mean[a] : one;
          } else if (t.weight_parts != nullptr && lane.has_head && f < t.heads.features) {
            const std::int64_t at = (i * t.heads.count + lane.head) * t.heads.features + f;
            t.mean_features[at] = mean[a];
            t.grad_means[at] = z[a];
          }
        }
        hand_on<T, L>(t, lane, begin, end, mean_dw, u, n, group > 0 || t.add_grad_features);
      }
      store_tile<L>(t.grad_query, shared.sums, shared.query_features, first, t, group, nullptr,
                    t.heads.scale);
      if constexpr (kOnTensorCores<T, L>) {
        if (t.weight_parts != nullptr)
          add_weight_sums<L>(shared.weights, shared.query_features, shared.grad_features, t, first,
                             group);
      }
    }
    if constexpr (kOnTensorCores<T, L>) {
      if (t.weight_parts != nullptr) {
        __syncthreads();
        store_part<L>(t.weight_parts, shared.weights, t.heads, group, static_cast<int>(blockIdx.x));
      }
    }
  }
}

}  // namespace askos::model::cuda
