// SPDX-License-Identifier: Apache-2.0
// The gradients of features and of the edge projection are sums over heads and over destinations:
// parts of them that are then added in order, the same on any device.
#pragma once

#include "bundle.cuh"

namespace askos::model::cuda {

/// The destinations are cut into this many parts; a block sums the projection's gradient over one.
inline constexpr int kBundleParts = 528;

__host__ __device__ inline int num_bundles(int num_nodes, int most_nodes) {
  return (num_nodes + most_nodes - 1) / most_nodes;
}
__host__ __device__ inline int bundles_per_part(int num_nodes, int most_nodes) {
  return (num_bundles(num_nodes, most_nodes) + kBundleParts - 1) / kBundleParts;
}
__host__ __device__ inline int num_bundle_parts(int num_nodes, int most_nodes) {
  if (num_nodes == 0) return 0;
  const int bundles = bundles_per_part(num_nodes, most_nodes);
  return (num_bundles(num_nodes, most_nodes) + bundles - 1) / bundles;
}

/// A warp's sums for its head of the projection's gradient: [eight channels][lane], as products
/// leave them: features row and row + 8, channels 8 i + ... by the lane's quad.
using BundleWeightSums = float4[8][32];

/// parts[part][head * channel][feature + 1] = a warp's sums for its head.
__device__ inline void store_bundle_part(const BackwardTables<__nv_bfloat16>& t,
                                         const BundleWeightSums& sums,
                                         int head,
                                         int part,
                                         const Spot& at) {
  const int columns = t.heads.features + 1;
  float* to = t.weight_parts +
              (static_cast<std::int64_t>(part) * t.heads.count + head) * kBundleHeadSize * columns;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int channel = i / 4 * 32 + at.quad * 8 + i % 4 * 2;
    const float4 sum = sums[i][at.lane];
    if (at.row < columns) {
      to[channel * columns + at.row] = sum.x;
      to[(channel + 1) * columns + at.row] = sum.y;
    }
    if (at.row + 8 < columns) {
      to[channel * columns + at.row + 8] = sum.z;
      to[(channel + 1) * columns + at.row + 8] = sum.w;
    }
  }
}

/// A group's gradients of features, one head a warp: [warp][chunk][features below 8, others][lane].
using GroupFeatures = float4[kWarps][kGroupChunks][2][32];

/// Adds those of eight heads and writes them as part blockIdx.y: each warp half a chunk.
__device__ inline void store_group_features(const BackwardTables<__nv_bfloat16>& t,
                                            const GroupFeatures& features,
                                            const BundleEdges& edges,
                                            int base,
                                            int warp,
                                            const Spot& at) {
  const int chunk = warp / 2;
  const int edge = base + chunk * kChunkEdges + at.row;
  if (base + chunk * kChunkEdges >= edges.count) return;
  float sum[4] = {};
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
    const float4 x = features[w][chunk][warp % 2][at.lane];
    sum[0] += x.x;
    sum[1] += x.y;
    sum[2] += x.z;
    sum[3] += x.w;
  }
  const int f = warp % 2 * 8 + at.quad * 2;
  float* to =
      t.feature_parts +
      (static_cast<std::int64_t>(blockIdx.y) * t.graph.num_edges + edges.begin) * t.heads.features;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    if (edge + i / 2 * 8 < edges.count && f + i % 2 < t.heads.features)
      to[static_cast<std::int64_t>(edge + i / 2 * 8) * t.heads.features + f + i % 2] = sum[i];
}

/// grad = sum of `num_parts` parts of `size` numbers in order; `add`: to what is there.
static __global__ void sum_feature_parts(
    const float* parts, int num_parts, std::int64_t size, float* grad, bool add) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= size) return;
  float sum = add ? grad[i] : 0.F;
  for (int p = 0; p < num_parts; ++p) sum += __ldg(parts + p * size + i);
  grad[i] = sum;
}

}  // namespace askos::model::cuda
