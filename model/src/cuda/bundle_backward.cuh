// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bundle_parts.cuh"
#include "bundle_products.cuh"

namespace askos::model::cuda {

struct BundleShared {
  GroupFeatures features;
  BundleWeightSums weights[kWarps];
};

/// Weights w and their gradients dw of a group's edges.
struct GroupWeights {
  float w[kGroupChunks][4];
  float dw[kGroupChunks][4];
};

/// What one warp does for its head of one bundle.
struct BundleBackward {
  const BackwardTables<__nv_bfloat16>& t;
  const BundleEdges& edges;
  const Spot& at;
  int head;
  float2* handed;  // of the bundle's first edge

  __device__ BundleBackward(const BackwardTables<__nv_bfloat16>& tables,
                            const BundleEdges& bundle_edges,
                            const Spot& spot,
                            int head_of_warp)
      : t(tables),
        edges(bundle_edges),
        at(spot),
        head(head_of_warp),
        handed(tables.handed + static_cast<std::int64_t>(bundle_edges.begin) * tables.heads.count +
               head_of_warp) {}

  /// From rows of the group's sources. `u` and `n` are the projected rows of the nodes, turned.
  __device__ void form(GroupWeights& group,
                       int base,
                       const NodeWords& query,
                       const NodeWords& grad,
                       const SplitResult& u,
                       const SplitResult& n,
                       float2 softmax) const {
    constexpr float kLog2OfE = 1.44269504F;
    const HeadRows keys(t.key, head, edge_word(at));
    const HeadRows values(t.value, head, edge_word(at));
    const GroupNodes sources(t.graph.sources, edges, base, at.lane);
    const float per_logit = t.heads.scale * kLog2OfE;
    const float reference = softmax.x * kLog2OfE;
    const float inverse = 1.F / softmax.y;
    const uint4* start = EdgeWords::start(t.prepared_features, edges.begin + base, at.lane);
#pragma unroll
    for (int chunk = 0; chunk < kGroupChunks; ++chunk) {
#pragma unroll
      for (int i = 0; i < 4; ++i) group.w[chunk][i] = group.dw[chunk][i] = 0;
      const int edge = base + chunk * kChunkEdges;
      if (edge >= edges.count) continue;
      EdgeRows key;
      EdgeRows value;
      EdgeWords features;
      key.load(keys, sources, chunk, at);
      value.load(values, sources, chunk, at);
      features.load(start, chunk);
      float logit[4] = {};
      key.add_products(logit, query);
      features.add_products(logit, u);
      features.add_products(group.dw[chunk], n);
      value.add_products(group.dw[chunk], grad);
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (edges.leads(edge + chunk_edge(at.quad, i)))
          group.w[chunk][i] = power_of_two(fmaf(logit[i], per_logit, -reference)) * inverse;
    }
  }

  /// Pairs (w, d) of the edges into the lane's node.
  __device__ void hand_on(const float (&w)[4], const float (&d)[4], int edge) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int e = edge + chunk_edge(at.quad, i);
      if (edges.leads(e))
        handed[static_cast<std::int64_t>(e) * t.heads.count] = make_float2(w[i], d[i]);
    }
  }
  /// Where a bundle has several groups, a group's weights wait where pairs are handed on.
  __device__ void keep(const GroupWeights& group, int base) const {
#pragma unroll
    for (int chunk = 0; chunk < kGroupChunks; ++chunk)
      hand_on(group.w[chunk], group.dw[chunk], base + chunk * kChunkEdges);
  }
  /// What the lane kept.
  __device__ void recall(GroupWeights& group, int base) const {
#pragma unroll
    for (int chunk = 0; chunk < kGroupChunks; ++chunk)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int e = base + chunk * kChunkEdges + chunk_edge(at.quad, i);
        float2 pair = make_float2(0, 0);
        if (edges.leads(e)) pair = handed[static_cast<std::int64_t>(e) * t.heads.count];
        group.w[chunk][i] = pair.x;
        group.dw[chunk][i] = pair.y;
      }
  }
};

/// Sums over a bundle's edges: of ds k, ds a and w a, for its nodes.
struct BundleSums {
  ChannelSums grad_query;
  float z[4] = {};
  float means[4] = {};

  /// One feature more, 1 where a node has edges, makes the bias's gradient.
  __device__ void add_bias_feature(int num_features, bool connected, const Spot& at) {
    float one[2];
    to_columns(one, connected ? 1.F : 0.F, at.quad);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      if (at.row + i / 2 * 8 == num_features) means[i] = one[i % 2];
  }
  /// sums += z' query + means' grad. Each sum is one lane's.
  __device__ void add_weights(BundleWeightSums& sums,
                              const NodeWords& query,
                              const NodeWords& grad,
                              int lane) const {
    const SplitResult split_z(z);
    const SplitResult split_means(means);
    const Pair high[4] = {split_z.high[0], split_z.high[1], split_means.high[0],
                          split_means.high[1]};
    const Pair low[4] = {split_z.low[0], split_z.low[1], split_means.low[0], split_means.low[1]};
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const Pair b0 = transposed(pair_of(query.half[i / 4], i % 4));
      const Pair b1 = transposed(pair_of(grad.half[i / 4], i % 4));
      float4& kept = sums[i][lane];
      float sum[4] = {kept.x, kept.y, kept.z, kept.w};
      multiply_add(sum, high, b0, b1);
      multiply_add(sum, low, b0, b1);
      kept = make_float4(sum[0], sum[1], sum[2], sum[3]);
    }
  }
};

/// ds u + w n of a chunk's edges: what one head adds to the gradients of their features.
__device__ inline void project_back(float4 (&to)[2][32],
                                    const SplitResult& ds,
                                    const SplitResult& w,
                                    const SplitResult& u,
                                    const SplitResult& n,
                                    int lane) {
  const SplitResult x = ds.turned();
  const SplitResult y = w.turned();
  const Pair high[4] = {x.high[0], x.high[1], y.high[0], y.high[1]};
  const Pair low[4] = {x.low[0], x.low[1], y.low[0], y.low[1]};
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float sum[4] = {};
    multiply_add(sum, high, u.high[i], n.high[i]);
    multiply_add(sum, high, u.low[i], n.low[i]);
    multiply_add(sum, low, u.high[i], n.high[i]);
    to[i][lane] = make_float4(sum[0], sum[1], sum[2], sum[3]);
  }
}

/// Gradients of the queries of one part's bundles (blockIdx.x) for eight heads (blockIdx.y), one a
/// warp; of the features of the edges into them, summed over these heads; and the part's share of
/// the gradient of the projection.
///
/// ds_e = w_e (dw_e - D) with D = sum w dw. D is taken off in two steps: what edges have in common
/// goes before the rest is weighed.
///
/// One function, for all of it shares registers: parts of its own would pass them through memory.
static __global__ void __launch_bounds__(kThreads, 2)
    backward_bundles(const __grid_constant__ BackwardTables<__nv_bfloat16> t, int most_nodes) {
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  auto& shared = *reinterpret_cast<BundleShared*>(shared_bytes);
  const Spot at;
  const int warp = uniform(static_cast<int>(threadIdx.x / 32));
  const int wanted_head = static_cast<int>(blockIdx.y) * kWarps + warp;
  const bool has_head = wanted_head < t.heads.count;
  const int head = has_head ? wanted_head : 0;  // without one, a warp works for nothing
  const uint4* weight = t.prepared + static_cast<std::int64_t>(head) * kBundleWordsPerHead;
  const int part = static_cast<int>(blockIdx.x);
  const int per_part = bundles_per_part(t.graph.num_destinations, most_nodes);
  const int end = min((part + 1) * per_part, num_bundles(t.graph.num_destinations, most_nodes));
#pragma unroll
  for (int i = 0; i < 8; ++i) shared.weights[warp][i][at.lane] = make_float4(0, 0, 0, 0);

#pragma unroll 1
  for (int bundle = part * per_part; bundle < end; ++bundle) {
    const int first_node = bundle * most_nodes;
    const int nodes = min(most_nodes, t.graph.num_destinations - first_node);
    BundleEdges edges(t.graph.destination_offsets, first_node, nodes, at.row);
    if (!has_head) edges.length = 0;
    const BundleBackward work(t, edges, at, head);
    NodeWords query;
    NodeWords grad;
    query.clear();
    grad.clear();
    if (at.row < nodes && has_head) {
      query.load(HeadRows(t.query, head, at.quad), first_node + at.row);
      grad.load(HeadRows(t.grad_out, head, at.quad), first_node + at.row);
    }
    float2 softmax = make_float2(0, 1);
    if (edges.length > 0)
      softmax = t.softmax[static_cast<std::int64_t>(first_node + at.row) * t.heads.count + head];

    GroupWeights group;
    const bool many = edges.count > kGroupEdges;
    float mean = 0;
    const SplitResult u(Projected(weight, query, at.lane).sum);
    const SplitResult n(Projected(weight, grad, at.lane).sum);
    {
      const SplitResult turned_u = u.turned();
      const SplitResult turned_n = n.turned();
#pragma unroll 1
      for (int base = 0; base < edges.count; base += kGroupEdges) {
        work.form(group, base, query, grad, turned_u, turned_n, softmax);
#pragma unroll
        for (int chunk = 0; chunk < kGroupChunks; ++chunk)
#pragma unroll
          for (int i = 0; i < 4; ++i) mean = fmaf(group.w[chunk][i], group.dw[chunk][i], mean);
        if (many) work.keep(group, base);
      }
    }
    mean = sum_over_quads(mean);
    float rest = 0;
#pragma unroll 1
    for (int base = 0; base < edges.count; base += kGroupEdges) {
      if (many) work.recall(group, base);
#pragma unroll
      for (int chunk = 0; chunk < kGroupChunks; ++chunk)
#pragma unroll
        for (int i = 0; i < 4; ++i) rest = fmaf(group.w[chunk][i], group.dw[chunk][i] - mean, rest);
    }
    rest = sum_over_quads(rest);

    BundleSums sums;
#pragma unroll 1
    for (int base = 0; base < edges.count; base += kGroupEdges) {
      if (many) work.recall(group, base);
      const GroupNodes sources(t.graph.sources, edges, base, at.lane);
      const HeadRows keys(t.key, head, edge_word(at));
      const uint4* start = EdgeWords::start(t.prepared_features, edges.begin + base, at.lane);
      if (t.feature_parts != nullptr) __syncthreads();  // the group before has been summed
#pragma unroll
      for (int chunk = 0; chunk < kGroupChunks; ++chunk) {
        const int edge = base + chunk * kChunkEdges;
        if (edge >= edges.count) continue;
        EdgeRows rows;
        EdgeWords features;
        rows.load(keys, sources, chunk, at);
        features.load(start, chunk);
        float ds[4];
#pragma unroll
        for (int i = 0; i < 4; ++i)
          ds[i] = group.w[chunk][i] * ((group.dw[chunk][i] - mean) - rest);
        work.hand_on(group.w[chunk], ds, edge);
#pragma unroll
        for (int i = 0; i < 4; ++i) ds[i] *= t.heads.scale;
        const SplitResult split_ds(ds);
        sums.grad_query.add(rows, split_ds);
        const SplitResult split_w(group.w[chunk]);
        const TurnedEdgeWords turned(features);
        multiply_add(sums.z, turned.high, turned.low, split_ds);
        multiply_add(sums.means, turned.high, turned.low, split_w);
        if (t.feature_parts != nullptr)
          project_back(shared.features[warp][chunk], split_ds, split_w, u, n, at.lane);
      }
      if (t.feature_parts != nullptr) {
        __syncthreads();
        store_group_features(t, shared.features, edges, base, warp, at);
      }
    }

    sums.add_bias_feature(t.heads.features, edges.length > 0, at);
    sums.grad_query.add_expanded(weight + kBundleWords, SplitResult(sums.z).turned(), at.lane);
    if (has_head) sums.grad_query.store(t.grad_query, head, first_node, nodes, at);
    if (t.weight_parts != nullptr) {
      // Loaded again, for they would hold registers all the while.
      if (at.row < nodes && has_head) {
        query.load(HeadRows(t.query, head, at.quad), first_node + at.row);
        grad.load(HeadRows(t.grad_out, head, at.quad), first_node + at.row);
      }
      sums.add_weights(shared.weights[warp], query, grad, at.lane);
    }
  }
  if (t.weight_parts != nullptr && has_head)
    store_bundle_part(t, shared.weights[warp], head, part, at);
}

}  // namespace askos::model::cuda
