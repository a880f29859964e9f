// SPDX-License-Identifier: Apache-2.0
// The tile's products with the edge projection on tensor cores. What is not bfloat16 is split into
// two of them, high and low, so that products have the precision of 16 bits or more; sums are
// float32.
//
// One instruction multiplies a[16 x 16] by b[16 x 8]. With row = lane / 4 and quad = lane % 4 a
// lane has
//   a: (row, 2 quad), (row + 8, 2 quad), (row, 2 quad + 8), (row + 8, 2 quad + 8), each with its
//   neighbour b: (2 quad, row), (2 quad + 8, row), each with the number below sum: (row, 2 quad),
//   (row + 8, 2 quad), each with its neighbour
#pragma once

#include "prepared_projection.cuh"

#include <type_traits>

namespace askos::model::cuda {

__device__ inline void multiply_add(float (&sum)[4],
                                    const std::uint32_t (&a)[4],
                                    std::uint32_t b0,
                                    std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Numbers that are not bfloat16.
struct SplitMatrix {
  std::uint32_t high[4];
  std::uint32_t low[4];

  __device__ void set(int i, float x, float y) {
    const SplitPair pair = split(x, y);
    high[i] = pair.high;
    low[i] = pair.low;
  }
};

/// `b` as prepared: high, high, low, low.
__device__ inline void multiply_add(float (&sum)[4], const SplitMatrix& a, const uint4& b) {
  multiply_add(sum, a.high, b.x, b.y);
  multiply_add(sum, a.high, b.z, b.w);
  multiply_add(sum, a.low, b.x, b.y);
}

template <typename T>
__device__ inline SplitPair split_word(std::uint32_t word) {
  float x[2];
  unpack_pair(x, word, T{});
  return split(x[0], x[1]);
}

/// Eight channels of a row, zeros where there are none.
template <typename T>
__device__ inline uint4 load_words(const Rows<const T>& rows,
                                   std::int64_t row,
                                   std::int64_t num_rows,
                                   std::int64_t column,
                                   bool has_channels) {
  if (row >= num_rows || !has_channels) return make_uint4(0, 0, 0, 0);
  return __ldg(reinterpret_cast<const uint4*>(rows.at(row) + column));
}

/// One warp: projected = factor W' row for the tile's rows and one head.
template <typename L, typename T>
__device__ void project_head(typename L::FeatureRows& projected,
                             const Rows<const T>& rows,
                             std::int64_t first,
                             const Tables<T>& t,
                             int warp_head,
                             int head,
                             float factor) {
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int row = lane / 4;
  const int quad = lane % 4;
  const std::int64_t num_rows = head < t.heads.count ? t.graph.num_destinations : 0;
  const uint4* weight = projecting<L>(t.prepared, head < t.heads.count ? head : 0) + lane;
  float sum[L::kFeatures / 8][4] = {};
#pragma unroll
  for (int block = 0; block < kChannelBlocks<L>; ++block) {
    const int c = block * 32 + quad * 8;
    const std::int64_t column = static_cast<std::int64_t>(head) * t.heads.size + c;
    const uint4 upper = load_words(rows, first + row, num_rows, column, c < t.heads.size);
    const uint4 lower = load_words(rows, first + row + 8, num_rows, column, c < t.heads.size);
    const std::uint32_t words[2][4] = {{upper.x, lower.x, upper.y, lower.y},
                                       {upper.z, lower.z, upper.w, lower.w}};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      SplitMatrix a;
      if constexpr (!std::is_same_v<T, __nv_bfloat16>) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const SplitPair pair = split_word<T>(words[half][i]);
          a.high[i] = pair.high;
          a.low[i] = pair.low;
        }
      }
#pragma unroll
      for (int f = 0; f < L::kFeatures / 8; ++f) {
        const uint4 b = __ldg(weight + ((block * 2 + half) * (L::kFeatures / 8) + f) * 32);
        if constexpr (std::is_same_v<T, __nv_bfloat16>) {
          multiply_add(sum[f], words[half], b.x, b.y);
          multiply_add(sum[f], words[half], b.z, b.w);
        } else {
          multiply_add(sum[f], a, b);
        }
      }
    }
  }
#pragma unroll
  for (int f = 0; f < L::kFeatures / 8; ++f) {
    const int to = warp_head * L::kFeatures + f * 8 + quad * 2;
    projected[row][to] = factor * sum[f][0];
    projected[row][to + 1] = factor * sum[f][1];
    projected[row + 8][to] = factor * sum[f][2];
    projected[row + 8][to + 1] = factor * sum[f][3];
  }
}

/// The lane's part of the tile's `features` of one head, from the `f`-th on.
template <typename L>
__device__ inline SplitMatrix split_rows(const typename L::FeatureRows& features,
                                         int warp_head,
                                         int f) {
  const int row = static_cast<int>(threadIdx.x & 31) / 4;
  const int quad = static_cast<int>(threadIdx.x & 3);
  SplitMatrix a;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float* x =
        &features[row + i % 2 * 8][warp_head * L::kFeatures + f + quad * 2 + i / 2 * 8];
    a.set(i, x[0], x[1]);
  }
  return a;
}

/// The same times `factor`, features down and rows across.
template <typename L>
__device__ inline SplitMatrix split_columns(const typename L::FeatureRows& features,
                                            int warp_head,
                                            int f,
                                            float factor) {
  const int row = static_cast<int>(threadIdx.x & 31) / 4;
  const int quad = static_cast<int>(threadIdx.x & 3);
  SplitMatrix a;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int r = quad * 2 + i / 2 * 8;
    const int at = warp_head * L::kFeatures + f + row + i % 2 * 8;
    a.set(i, factor * features[r][at], factor * features[r + 1][at]);
  }
  return a;
}

/// Writes factor (sums + W means + [the row has edges] bias) + added for the tile's rows and the
/// group's heads. The whole block, all warps having written.
template <typename L, typename T>
__device__ void expand_and_store(const Rows<T>& out,
                                 const typename L::ChannelRows& sums,
                                 const typename L::FeatureRows& means,
                                 std::int64_t first,
                                 const Tables<T>& t,
                                 int group,
                                 const float* bias,
                                 float factor,
                                 const Rows<const T>& added) {
  const int lane = static_cast<int>(threadIdx.x & 31);
  const int row = lane / 4;
  const int quad = lane % 4;
#pragma unroll 1
  for (int task = static_cast<int>(threadIdx.x / 32); task < L::kHeads * kChannelBlocks<L>;
       task += kWarps) {
    const int warp_head = task % L::kHeads;
    const int block = task / L::kHeads;
    const int head = group * L::kHeads + warp_head;
    if (head >= t.heads.count) continue;
    const uint4* weight =
        expanding<L>(t.prepared, head) + block * 4 * (L::kFeatures / 16) * 32 + lane;
    float expanded[4][4] = {};  // [pair of channels]
#pragma unroll
    for (int part = 0; part < L::kFeatures / 16; ++part) {
      const SplitMatrix a = split_rows<L>(means, warp_head, part * 16);
#pragma unroll
      for (int pair = 0; pair < 4; ++pair)
        multiply_add(expanded[pair], a, __ldg(weight + (pair * (L::kFeatures / 16) + part) * 32));
    }
    const int c = block * 32 + quad * 8;
    const std::int64_t column = static_cast<std::int64_t>(head) * t.heads.size + c;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int r = row + half * 8;
      const std::int64_t i = first + r;
      if (c >= t.heads.size || i >= t.graph.num_destinations) continue;
      const float* sum = &sums[r][warp_head * L::kHeadChannels + c];
      float x[kLaneChannels];
#pragma unroll
      for (int pair = 0; pair < 4; ++pair) {
        x[2 * pair] = sum[2 * pair] + expanded[pair][2 * half];
        x[2 * pair + 1] = sum[2 * pair + 1] + expanded[pair][2 * half + 1];
      }
      if (bias != nullptr &&
          __ldg(t.graph.destination_offsets + i) < __ldg(t.graph.destination_offsets + i + 1)) {
#pragma unroll
        for (int b = 0; b < kLaneChannels; ++b) x[b] += __ldg(bias + column + b);
      }
#pragma unroll
      for (int b = 0; b < kLaneChannels; ++b) x[b] *= factor;
      add_row<L>(x, added, i, column, kLaneChannels);
      store<true>(out.at(i) + column, x, kLaneChannels);
    }
    __syncwarp();
  }
}

/// Sums of a block over its tiles: [head of the group][feature][channel]; the odd width spreads a
/// warp's accesses over the banks.
template <typename L>
using WeightSums = float[L::kHeads][L::kFeatures][L::kHeadChannels + 2];

/// A matrix of 8 x 8 numbers of 16 bits, two of a row in each lane, becomes its transpose.
__device__ inline std::uint32_t transposed(std::uint32_t word) {
  std::uint32_t result = 0;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(result) : "r"(word));
  return result;
}

/// sum += a' rows for eight channels.
template <typename T>
__device__ inline void add_outer(float (&sum)[4],
                                 const SplitMatrix& a,
                                 std::uint32_t upper,
                                 std::uint32_t lower) {
  const std::uint32_t b0 = transposed(upper);
  const std::uint32_t b1 = transposed(lower);
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    multiply_add(sum, a.high, b0, b1);
    multiply_add(sum, a.low, b0, b1);
  } else {
    const SplitPair first = split_word<T>(b0);
    const SplitPair second = split_word<T>(b1);
    multiply_add(sum, a, make_uint4(first.high, second.high, first.low, second.low));
  }
}

/// sums += scale z' query + m' grad for the tile. `z` and `m` are as all warps wrote them. Each sum
/// is one lane's.
template <typename L, typename T>
__device__ void add_weight_sums(WeightSums<L>& sums,
                                const typename L::FeatureRows& z,
                                const typename L::FeatureRows& m,
                                const BackwardTables<T>& t,
                                std::int64_t first,
                                int group) {
  const int row = static_cast<int>(threadIdx.x & 31) / 4;
  const int quad = static_cast<int>(threadIdx.x & 3);
#pragma unroll 1
  for (int task = static_cast<int>(threadIdx.x / 32); task < L::kHeads * kChannelBlocks<L>;
       task += kWarps) {
    const int warp_head = task % L::kHeads;
    const int head = group * L::kHeads + warp_head;
    if (head >= t.heads.count) continue;
    const int c = task / L::kHeads * 32 + quad * 8;
    const bool inside = c < t.heads.size;
    const std::int64_t column = static_cast<std::int64_t>(head) * t.heads.size + c;
    const std::int64_t num_rows = t.graph.num_destinations;
    float sum[L::kFeatures / 16][4][4] = {};
#pragma unroll
    for (int table = 0; table < 2; ++table) {
      const Rows<const T>& rows = table == 0 ? t.query : t.grad_out;
      const uint4 upper = load_words(rows, first + row, num_rows, column, inside);
      const uint4 lower = load_words(rows, first + row + 8, num_rows, column, inside);
#pragma unroll
      for (int part = 0; part < L::kFeatures / 16; ++part) {
        const SplitMatrix a = split_columns<L>(table == 0 ? z : m, warp_head, part * 16,
                                               table == 0 ? t.heads.scale : 1.F);
        add_outer<T>(sum[part][0], a, upper.x, lower.x);
        add_outer<T>(sum[part][1], a, upper.y, lower.y);
        add_outer<T>(sum[part][2], a, upper.z, lower.z);
        add_outer<T>(sum[part][3], a, upper.w, lower.w);
      }
    }
#pragma unroll
    for (int part = 0; part < L::kFeatures / 16; ++part)
#pragma unroll
      for (int pair = 0; pair < 4; ++pair)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          if (inside)
            sums[warp_head][part * 16 + row + i / 2 * 8][c + pair * 2 + i % 2] +=
                sum[part][pair][i];
    __syncwarp();
  }
}

}  // namespace askos::model::cuda
