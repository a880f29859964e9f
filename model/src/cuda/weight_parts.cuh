// SPDX-License-Identifier: Apache-2.0
// The gradient of the edge projection is a sum over all destinations. They are cut into parts, the
// same on any device, whose sums are then added in order.
#pragma once

#include "tensor_products.cuh"

namespace askos::model::cuda {

inline constexpr int kMostParts = 1024;

struct TileRange {
  std::int64_t begin;
  std::int64_t end;
};

__host__ __device__ inline std::int64_t num_tiles(std::int64_t num_destinations) {
  return (num_destinations + kTileRows - 1) / kTileRows;
}
__host__ __device__ inline std::int64_t tiles_per_part(std::int64_t num_destinations) {
  return (num_tiles(num_destinations) + kMostParts - 1) / kMostParts;
}
__host__ __device__ inline int num_parts(std::int64_t num_destinations) {
  if (num_destinations == 0) return 0;
  const std::int64_t tiles = tiles_per_part(num_destinations);
  return static_cast<int>((num_tiles(num_destinations) + tiles - 1) / tiles);
}
__host__ __device__ inline TileRange part_tiles(std::int64_t num_destinations, int part) {
  const std::int64_t tiles = tiles_per_part(num_destinations);
  const std::int64_t end = (part + 1) * tiles;
  return {part * tiles, end < num_tiles(num_destinations) ? end : num_tiles(num_destinations)};
}

template <typename L>
__device__ void clear(WeightSums<L>& sums) {
  __syncthreads();  // the group of heads before has stored its own
  float* all = &sums[0][0][0];
  for (int i = static_cast<int>(threadIdx.x); i < static_cast<int>(sizeof(sums) / sizeof(float));
       i += kThreads)
    all[i] = 0;
}

/// parts[part][head * channel][feature + 1] = sums, of the group's heads.
template <typename L>
__device__ void store_part(
    float* parts, const WeightSums<L>& sums, const Heads& heads, int group, int part) {
  const int columns = heads.features + 1;
  float* to = parts + static_cast<std::int64_t>(part) * heads.count * heads.size * columns;
  for (int i = static_cast<int>(threadIdx.x); i < L::kHeads * heads.size * columns; i += kThreads) {
    const int f = i % columns;
    const int c = i / columns % heads.size;
    const int warp_head = i / columns / heads.size;
    const int head = group * L::kHeads + warp_head;
    if (head < heads.count)
      to[(static_cast<std::int64_t>(head) * heads.size + c) * columns + f] = sums[warp_head][f][c];
  }
}

}  // namespace askos::model::cuda
