// SPDX-License-Identifier: Apache-2.0
// The tile's products with the edge projection, by the fastest means that a type and layout have.
#pragma once

#include "tensor_products.cuh"

namespace askos::model::cuda {

/// Writes factor (sums + W means + [the row has edges] bias) + added for the tile's rows and the
/// group's heads. The whole block; it waits for all warps first.
template <typename L, typename T>
__device__ void store_tile(const Rows<T>& out,
                           typename L::ChannelRows& sums,
                           const typename L::FeatureRows& means,
                           std::int64_t first,
                           const Tables<T>& t,
                           int group,
                           const float* bias,
                           float factor,
                           const Rows<const T>& added = {}) {
  __syncthreads();
  if constexpr (kOnTensorCores<T, L>) {
    expand_and_store<L>(out, sums, means, first, t, group, bias, factor, added);
  } else {
    add_expanded_by_rows<L>(sums, means, t.heads, group, t.edges.weight);
    store_rows<L>(out, sums, first, t.graph, t.heads, group, bias, factor, added);
  }
}

/// Projects the tile's rows of two tables at once. The whole block; it must wait before it reads.
template <typename L, typename T>
__device__ void project_both(typename L::FeatureRows& query_features,
                             typename L::FeatureRows& grad_features,
                             std::int64_t first,
                             const BackwardTables<T>& t,
                             int group) {
  if constexpr (kOnTensorCores<T, L>) {
    for (int task = static_cast<int>(threadIdx.x / 32); task < 2 * L::kHeads; task += kWarps) {
      const int h = task % L::kHeads;
      const int head = group * L::kHeads + h;
      if (task < L::kHeads) {
        project_head<L>(query_features, t.query, first, t, h, head, t.heads.scale);
      } else {
        project_head<L>(grad_features, t.grad_out, first, t, h, head, 1.F);
      }
    }
  } else {
    project_rows<L>(query_features, t.query, first, t.graph.num_destinations, t.heads, group,
                    t.edges.weight, t.heads.scale);
    project_rows<L>(grad_features, t.grad_out, first, t.graph.num_destinations, t.heads, group,
                    t.edges.weight, 1.F);
  }
}

}  // namespace askos::model::cuda
