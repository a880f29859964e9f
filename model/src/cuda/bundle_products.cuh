// SPDX-License-Identifier: Apache-2.0
// Rows and features of a bundle, and their products.
//
// All rows are read in words of 16 bytes, eight neighbouring lanes a row. Lane `row` then has word
// row % 2 * 4 + quad of the edge for row / 2: halves of a row's channels alternate. In products
// over channels the two halves of a node's row are two rows of the first operand, of an edge's two
// columns of the second; products over edges have their rows turned, and the halves taken apart
// after that.
#pragma once

#include "bundle.cuh"
#include "bundle_preparation.cuh"

namespace askos::model::cuda {

using Pair = std::uint32_t;  // of bfloat16

inline constexpr int kTiles = 4;  // of channels: two of a lane's eight each

__device__ inline Pair pair_of(const uint4& word, int i) {
  return i == 0 ? word.x : i == 1 ? word.y : i == 2 ? word.z : word.w;
}

/// A node's row: words `quad` of both halves of the head, for node `row`.
struct NodeWords {
  uint4 half[2];

  /// `rows` are of word `quad`.
  __device__ void load(const HeadRows& rows, int row) {
    half[0] = __ldg(rows.at(row));
    half[1] = __ldg(rows.at(row) + 4);
  }
  __device__ void clear() { half[0] = half[1] = make_uint4(0, 0, 0, 0); }
};

/// Which word of an edge's row the lane has.
__device__ inline int edge_word(const Spot& at) {
  return at.row % 2 * 4 + at.quad;
}

/// Rows of a chunk's edges.
struct EdgeRows {
  uint4 edge[4];

  /// `rows` are of word `edge_word`.
  __device__ void load(const HeadRows& rows, const GroupNodes& nodes, int chunk, const Spot& at) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
      edge[i] = __ldg(rows.at(nodes.of(chunk, chunk_edge(at.row / 2, i))));
  }
  /// sum[edge] += row of the edge * row of the lane's node.
  __device__ void add_products(float (&sum)[4], const NodeWords& nodes) const {
    const uint4& m = nodes.half[0];
    const uint4& n = nodes.half[1];
    const Pair first[4] = {m.x, n.x, m.y, n.y};
    const Pair second[4] = {m.z, n.z, m.w, n.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float halves[4] = {};  // what is not of equal halves has no meaning
      multiply_add(halves, first, edge[i].x, edge[i].y);
      multiply_add(halves, second, edge[i].z, edge[i].w);
      sum[i] += halves[0] + halves[3];
    }
  }
  /// Channels down, edges across: rows are channels 8 (row / 2) + 2 tile + row % 2, and these + 32.
  __device__ void turned(Pair (&a)[4], int tile) const {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const Pair x = transposed(pair_of(edge[2 * i], tile));
      const Pair y = transposed(pair_of(edge[2 * i + 1], tile));
      a[2 * i] = __byte_perm(x, y, 0x5410);
      a[2 * i + 1] = __byte_perm(x, y, 0x7632);
    }
  }
};

/// A lane's part of a [16, 8] result as bfloat16, high and low: rows `row` and `row + 8`.
struct SplitResult {
  Pair high[2];
  Pair low[2];

  __device__ explicit SplitResult(const float (&x)[4]) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const SplitPair pair = split(x[2 * i], x[2 * i + 1]);
      high[i] = pair.high;
      low[i] = pair.low;
    }
  }
  /// Rows and columns exchanged, each half for itself.
  [[nodiscard]] __device__ SplitResult turned() const {
    SplitResult result = *this;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      result.high[i] = transposed(high[i]);
      result.low[i] = transposed(low[i]);
    }
    return result;
  }
};

/// a * b without low * low.
__device__ inline void multiply_add(float (&sum)[4],
                                    const Pair (&high)[4],
                                    const Pair (&low)[4],
                                    const SplitResult& b) {
  multiply_add(sum, high, b.high[0], b.high[1]);
  multiply_add(sum, high, b.low[0], b.low[1]);
  multiply_add(sum, low, b.high[0], b.high[1]);
}

/// Features of edges row and row + 8, as `prepare_features` left them.
struct EdgeWords {
  uint4 upper;
  uint4 lower;

  /// Where a lane's first words of the edges from `edge` on are.
  __device__ static const uint4* start(const uint4* features, std::int64_t edge, int lane) {
    return features + edge * 4 + lane;
  }
  __device__ void load(const uint4* features, int chunk) {
    upper = __ldg(features + chunk * kChunkEdges * 4);
    lower = __ldg(features + chunk * kChunkEdges * 4 + 32);
  }
  /// sum[edge] += features * `projected` [feature, node], turned.
  __device__ void add_products(float (&sum)[4], const SplitResult& projected) const {
    const Pair a[4] = {projected.high[0], projected.low[0], projected.high[1], projected.low[1]};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const uint4& edge = i == 0 ? upper : lower;
      float parts[4] = {};  // with high, with low
      multiply_add(parts, a, edge.x, edge.y);
      multiply_add(parts, a, edge.z, edge.w);
      sum[2 * i] += parts[0] + parts[2];
      sum[2 * i + 1] += parts[1] + parts[3];
    }
  }
};

/// The same, features down and edges across.
struct TurnedEdgeWords {
  Pair high[4];
  Pair low[4];

  __device__ explicit TurnedEdgeWords(const EdgeWords& edges)
      : high{transposed(edges.upper.x), transposed(edges.upper.y), transposed(edges.lower.x),
             transposed(edges.lower.y)},
        low{transposed(edges.upper.z), transposed(edges.upper.w), transposed(edges.lower.z),
            transposed(edges.lower.w)} {}
};

/// Results: [tile] of channels as `EdgeRows::turned` has them, each for nodes 2 quad, 2 quad + 1.
struct ChannelSums {
  float tile[kTiles][4] = {};

  /// += rows' * weights.
  __device__ void add(const EdgeRows& rows, const SplitResult& weights) {
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      Pair a[4];
      rows.turned(a, i);
      multiply_add(tile[i], a, weights.high[0], weights.high[1]);
      multiply_add(tile[i], a, weights.low[0], weights.low[1]);
    }
  }
  /// += W means, which are turned; `weight` as prepared for the head.
  __device__ void add_expanded(const uint4* weight, const SplitResult& means, int lane) {
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      const uint4 h = __ldg(weight + (2 * i) * 32 + lane);
      const uint4 l = __ldg(weight + (2 * i + 1) * 32 + lane);
      const Pair high[4] = {h.x, h.y, h.z, h.w};
      const Pair low[4] = {l.x, l.y, l.z, l.w};
      multiply_add(tile[i], high, low, means);
    }
  }
  __device__ void scale(const float (&factor)[2]) {
#pragma unroll
    for (int i = 0; i < kTiles; ++i)
#pragma unroll
      for (int x = 0; x < 4; ++x) tile[i][x] *= factor[x % 2];
  }
  /// Stores the head's channels of the bundle's nodes. Lanes of odd and even rows have every second
  /// channel of two nodes, and exchange them for all of one.
  __device__ void store(
      const Rows<__nv_bfloat16>& to, int head, int first_node, int nodes, const Spot& at) const {
    const unsigned order = at.row % 2 == 0 ? 0x5410 : 0x3276;
    Pair word[2][kTiles];
#pragma unroll
    for (int i = 0; i < kTiles; ++i)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const __nv_bfloat162 own = __floats2bfloat162_rn(tile[i][2 * half], tile[i][2 * half + 1]);
        const Pair mine = *reinterpret_cast<const Pair*>(&own);
        word[half][i] = __byte_perm(mine, __shfl_xor_sync(~0U, mine, 4), order);
      }
    const int node = 2 * at.quad + at.row % 2;
    if (node >= nodes) return;
    auto* row = reinterpret_cast<uint4*>(to.at(first_node + node) + head * kBundleHeadSize);
#pragma unroll
    for (int half = 0; half < 2; ++half)
      row[half * 4 + at.row / 2] =
          make_uint4(word[half][0], word[half][1], word[half][2], word[half][3]);
  }
};

/// W' rows: [feature, node] of the bundle's nodes.
struct Projected {
  float sum[4] = {};

  __device__ Projected(const uint4* weight, const NodeWords& nodes, int lane) {
#pragma unroll
    for (int step = 0; step < 4; ++step) {
      const uint4 h = __ldg(weight + (2 * step) * 32 + lane);
      const uint4 l = __ldg(weight + (2 * step + 1) * 32 + lane);
      const Pair high[4] = {h.x, h.y, h.z, h.w};
      const Pair low[4] = {l.x, l.y, l.z, l.w};
      const uint4& word = nodes.half[step / 2];
      const Pair b0 = step % 2 == 0 ? word.x : word.z;
      const Pair b1 = step % 2 == 0 ? word.y : word.w;
      multiply_add(sum, high, b0, b1);
      multiply_add(sum, low, b0, b1);
    }
  }
};

}  // namespace askos::model::cuda
