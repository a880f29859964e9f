// SPDX-License-Identifier: Apache-2.0
// Bundles: up to eight neighbouring nodes and all their edges, worked on by one warp, one head at a
// time, with every product over channels, edges or nodes on tensor cores. For bfloat16, heads of 64
// channels and at most 15 features.
//
// With row = lane / 4 and quad = lane % 4, a lane has four edges of a chunk of sixteen, 2 quad,
// 2 quad + 1 and these + 8, and for each
//   their logits, weights and gradients at node `row` of the bundle: what products of a node's row
//   with edges' rows give, and what products over edges want;
//   of results and features' sums, columns 2 quad and 2 quad + 1, which are nodes.
// Edges of a bundle are consecutive; a node's own are a range of them, and the rest is masked.
#pragma once

#include "tensor_products.cuh"

namespace askos::model::cuda {

inline constexpr int kBundleNodes = 8;
inline constexpr int kChunkEdges = 16;
inline constexpr int kGroupEdges = 64;  // whose weights a warp has in registers at once
inline constexpr int kGroupChunks = kGroupEdges / kChunkEdges;

/// Nodes per bundle, such that most bundles have no more edges than a group: degrees vary, so the
/// average is to leave room.
__host__ __device__ inline int bundle_nodes(std::int64_t num_nodes, std::int64_t num_edges) {
  constexpr std::int64_t kFittingEdges = 50;
  if (num_edges == 0) return kBundleNodes;
  const std::int64_t fitting = kFittingEdges * num_nodes / num_edges;
  return fitting < 1 ? 1 : fitting > kBundleNodes ? kBundleNodes : static_cast<int>(fitting);
}

struct Spot {
  int lane = static_cast<int>(threadIdx.x & 31);
  int row = lane / 4;
  int quad = lane % 4;
};

/// What all lanes have equal, said such that the compiler knows.
__device__ inline int uniform(int x) {
  return __shfl_sync(~0U, x, 0);
}

/// The range of edges of a bundle, and that of the lane's node in it.
struct BundleEdges {
  int begin;
  int count;
  int first = 0;
  int length = 0;

  __device__ BundleEdges(const int* offsets, int first_node, int nodes, int node)
      : begin(uniform(__ldg(offsets + first_node))),
        count(uniform(__ldg(offsets + first_node + nodes)) - begin) {
    if (node >= nodes) return;
    first = __ldg(offsets + first_node + node) - begin;
    length = __ldg(offsets + first_node + node + 1) - begin - first;
  }
  /// Whether the edge leads to the lane's node.
  [[nodiscard]] __device__ bool leads(int edge) const {
    return static_cast<unsigned>(edge - first) < static_cast<unsigned>(length);
  }
};

/// The lane's `i`-th edge of a chunk.
__device__ inline int chunk_edge(int quad, int i) {
  return 2 * quad + i % 2 + i / 2 * 8;
}

/// Other ends of a group's edges, two a lane. Edges behind the last are as the last.
struct GroupNodes {
  int lower;
  int upper;

  __device__ GroupNodes(const int* nodes, const BundleEdges& edges, int base, int lane) {
    const int last = edges.begin + edges.count - 1;
    lower = __ldg(nodes + min(edges.begin + base + lane, last));
    upper = __ldg(nodes + min(edges.begin + base + 32 + lane, last));
  }
  [[nodiscard]] __device__ int of(int chunk, int edge) const {
    return __shfl_sync(~0U, chunk < 2 ? lower : upper, chunk % 2 * kChunkEdges + edge);
  }
};

/// A word of 16 bytes in each row of one head.
struct HeadRows {
  const char* data;
  int stride;  // bytes

  __device__ HeadRows(const Rows<const __nv_bfloat16>& rows, int head, int word)
      : data(reinterpret_cast<const char*>(rows.data + head * kBundleHeadSize) + word * 16),
        stride(static_cast<int>(rows.stride) * 2) {}
  [[nodiscard]] __device__ const uint4* at(int row) const {
    return reinterpret_cast<const uint4*>(data + static_cast<std::int64_t>(row) * stride);
  }
};

/// What lanes of row 2 quad and 2 quad + 1 have.
__device__ inline void to_columns(float (&columns)[2], float x, int quad) {
#pragma unroll
  for (int n = 0; n < 2; ++n) columns[n] = __shfl_sync(~0U, x, (2 * quad + n) * 4);
}

/// Over the lanes of a node.
__device__ inline float sum_over_quads(float x) {
  x += __shfl_xor_sync(~0U, x, 1);
  return x + __shfl_xor_sync(~0U, x, 2);
}
__device__ inline float power_of_two(float x) {
  float result = 0;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

}  // namespace askos::model::cuda
