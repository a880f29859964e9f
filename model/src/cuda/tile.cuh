// SPDX-License-Identifier: Apache-2.0
// How threads share work. A block takes a tile of neighbouring destinations and one group of heads
// at a time; each of its warps takes destinations one by one. In a warp, `Lanes` neighbouring lanes
// share a head, each with eight of its channels and every `Lanes`-th edge feature.
//
// The products of a node's row with the edge projection are made per tile, in shared memory.
#pragma once

#include "elements.cuh"
#include "kernel_arguments.cuh"

namespace askos::model::cuda {

inline constexpr int kTileRows = 16;
inline constexpr int kWarps = 8;
inline constexpr int kThreads = 32 * kWarps;

/// Lanes per head (a power of two), edge features per lane, and whether rows can be read in words
/// of 16 bytes.
template <int Lanes, int LaneFeatures, bool AlignedRows>
struct Layout {
  static constexpr int kLanes = Lanes;
  static constexpr int kLaneFeatures = LaneFeatures;
  static constexpr bool kAligned = AlignedRows;
  static constexpr int kHeads = 32 / Lanes;                    // in a warp
  static constexpr int kFeatures = Lanes * LaneFeatures;       // padded
  static constexpr int kHeadChannels = Lanes * kLaneChannels;  // padded
  static constexpr int kChannels = 32 * kLaneChannels;         // of a warp, padded
  // Rows are longer than their contents, to spread over the banks.
  using FeatureRows = float[kTileRows][kHeads * kFeatures + 8];
  using ChannelRows = float[kTileRows][kChannels + 4];
};

/// Where a lane stands.
template <typename L>
struct Lane {
  int index = static_cast<int>(threadIdx.x & 31);
  int in_head = index % L::kLanes;
  int warp_head = index / L::kLanes;
  int head;  // of all
  bool has_head;
  int num_channels;  // 0 to 8 that it really has
  std::int64_t column;

  __device__ Lane(const Heads& heads, int group)
      : head(group * L::kHeads + warp_head),
        has_head(head < heads.count),
        num_channels(has_head ? max(0, min(kLaneChannels, heads.size - in_head * kLaneChannels))
                              : 0),
        column(num_channels == 0
                   ? 0  // something to read, with a query and a gradient of zero
                   : static_cast<std::int64_t>(head) * heads.size + in_head * kLaneChannels) {}

  /// Where the lane's `a`-th feature stands in a row of `FeatureRows`.
  __device__ int feature(int a) const { return warp_head * L::kFeatures + in_head + a * L::kLanes; }
};

/// Sums over the lanes of a head; each gets the sum.
template <typename L>
__device__ inline float sum_over_head(float x) {
#pragma unroll
  for (int step = 1; step < L::kLanes; step *= 2) x += __shfl_xor_sync(~0U, x, step);
  return x;
}

/// Sums over the heads of a warp, lane by lane.
template <typename L>
__device__ inline float sum_over_heads(float x) {
#pragma unroll
  for (int step = L::kLanes; step < 32; step *= 2) x += __shfl_xor_sync(~0U, x, step);
  return x;
}

__device__ inline float dot(const float (&a)[kLaneChannels], const float (&b)[kLaneChannels]) {
  float sum = 0;
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) sum = fmaf(a[c], b[c], sum);
  return sum;
}

__device__ inline void add_scaled(float (&sum)[kLaneChannels],
                                  float factor,
                                  const float (&x)[kLaneChannels]) {
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) sum[c] = fmaf(factor, x[c], sum[c]);
}

/// The lane's share of an edge's features; zeros behind the last.
template <typename L>
__device__ inline void load_features(float (&x)[L::kLaneFeatures],
                                     const float* features,
                                     std::int64_t edge,
                                     int num_features,
                                     int in_head) {
#pragma unroll
  for (int a = 0; a < L::kLaneFeatures; ++a) {
    const int f = in_head + a * L::kLanes;
    x[a] = f < num_features ? __ldg(features + edge * num_features + f) : 0.F;
  }
}

/// Whether products with the edge projection are made on tensor cores.
template <typename T, typename L>
inline constexpr bool kOnTensorCores = sizeof(T) == 2 && L::kAligned;

/// projected = factor W' row for the tile's rows and the group's heads. The whole block; it must
/// wait before it reads.
template <typename L, typename T>
__device__ void project_rows(typename L::FeatureRows& projected,
                             const Rows<const T>& rows,
                             std::int64_t first,
                             std::int64_t num_rows,
                             const Heads& heads,
                             int group,
                             const float* weight,
                             float factor) {
  for (int i = static_cast<int>(threadIdx.x); i < kTileRows * L::kHeads * L::kFeatures;
       i += kThreads) {
    const int f = i % L::kFeatures;
    const int warp_head = i / L::kFeatures % L::kHeads;
    const int r = i / L::kFeatures / L::kHeads;
    const int head = group * L::kHeads + warp_head;
    float sum = 0;
    if (f < heads.features && head < heads.count && first + r < num_rows) {
      const std::int64_t column = static_cast<std::int64_t>(head) * heads.size;
      const T* row = rows.at(first + r) + column;
      const float* w = weight + column * heads.features + f;
      for (int c = 0; c < heads.size; ++c)
        sum = fmaf(to_float(row[c]), __ldg(w + c * heads.features), sum);
    }
    projected[r][warp_head * L::kFeatures + f] = factor * sum;
  }
}

/// sums += W means, each warp for the rows whose sums it wrote.
template <typename L>
__device__ void add_expanded_by_rows(typename L::ChannelRows& sums,
                                     const typename L::FeatureRows& means,
                                     const Heads& heads,
                                     int group,
                                     const float* weight) {
  const Lane<L> lane(heads, group);
  for (int r = static_cast<int>(threadIdx.x / 32); r < kTileRows; r += kWarps) {
    for (int c = 0; c < lane.num_channels; ++c) {
      const float* w = weight + (lane.column + c) * heads.features;
      float x = 0;
      for (int f = 0; f < heads.features; ++f)
        x = fmaf(__ldg(w + f), means[r][lane.warp_head * L::kFeatures + f], x);
      sums[r][lane.index * kLaneChannels + c] += x;
    }
  }
}

/// Adds a lane's channels of a row, if there is something to add.
template <typename L, typename T>
__device__ inline void add_row(float (&x)[kLaneChannels],
                               const Rows<const T>& added,
                               std::int64_t row,
                               std::int64_t column,
                               int num_channels) {
  if (added.data == nullptr) return;
  float more[kLaneChannels];
  unpack(more, load<L::kAligned>(added.at(row) + column, num_channels));
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) x[c] += more[c];
}

/// Writes factor (sums + [the row has edges] bias) + added to the tile's rows.
template <typename L, typename T>
__device__ void store_rows(const Rows<T>& out,
                           const typename L::ChannelRows& sums,
                           std::int64_t first,
                           const DeviceEdges& graph,
                           const Heads& heads,
                           int group,
                           const float* bias,
                           float factor,
                           const Rows<const T>& added) {
  const Lane<L> lane(heads, group);
  for (int r = static_cast<int>(threadIdx.x / 32); r < kTileRows; r += kWarps) {
    const std::int64_t row = first + r;
    if (row >= graph.num_destinations) break;
    const bool add_bias = bias != nullptr && __ldg(graph.destination_offsets + row) <
                                                 __ldg(graph.destination_offsets + row + 1);
    float x[kLaneChannels];
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c) {
      x[c] = sums[r][lane.index * kLaneChannels + c];
      if (add_bias && c < lane.num_channels) x[c] += __ldg(bias + lane.column + c);
      x[c] *= factor;
    }
    add_row<L>(x, added, row, lane.column, lane.num_channels);
    store<L::kAligned>(out.at(row) + lane.column, x, lane.num_channels);
  }
}

}  // namespace askos::model::cuda
