// SPDX-License-Identifier: Apache-2.0
// The edge projection as tensor cores read it: in bfloat16, high and low part, in the order of
// lanes.
//
// Both products contract or produce the channels of a head. Their order within 32 is free, and is
// chosen such that a lane's channels are neighbours: with row = lane / 4 and quad = lane % 4, a
// lane has channels 8 quad ... 8 quad + 7 of each 32, two at a time.
#pragma once

#include "tile.cuh"

namespace askos::model::cuda {

template <typename L>
inline constexpr int kChannelBlocks = (L::kHeadChannels + 31) / 32;

/// Words of one product for one head.
template <typename L>
inline constexpr int kPreparedWords = kChannelBlocks<L> * L::kFeatures / 4 * 32;

/// Bytes for any layout.
inline constexpr std::size_t kPreparedBytesPerHead = 32 * 1024;

/// The pair x, y as bfloat16, and what that leaves.
struct SplitPair {
  std::uint32_t high;
  std::uint32_t low;
};
__device__ inline SplitPair split(float x, float y) {
  const __nv_bfloat162 near = __floats2bfloat162_rn(x, y);
  const float2 back = __bfloat1622float2(near);
  const __nv_bfloat162 rest = __floats2bfloat162_rn(x - back.x, y - back.y);
  return {*reinterpret_cast<const std::uint32_t*>(&near),
          *reinterpret_cast<const std::uint32_t*>(&rest)};
}

/// Where the words of a head start.
template <typename L>
__device__ inline const uint4* projecting(const uint4* prepared, int head) {
  return prepared + std::int64_t{2} * head * kPreparedWords<L>;
}
template <typename L>
__device__ inline const uint4* expanding(const uint4* prepared, int head) {
  return projecting<L>(prepared, head) + kPreparedWords<L>;
}

/// Prepares head blockIdx.x. Order: [block of 32 channels][half of a lane's 8][8 features][lane]
/// for projecting, [block][pair of a lane's 8][16 features][lane] for expanding.
template <typename L>
__global__ void prepare_projection(Heads heads, const float* weight, uint4* prepared) {
  const int head = static_cast<int>(blockIdx.x);
  const auto entry = [&](int c, int f) {
    const bool inside = c < heads.size && f < heads.features;
    return inside ? weight[(static_cast<std::int64_t>(head) * heads.size + c) * heads.features + f]
                  : 0.F;
  };
  uint4* to = prepared + std::int64_t{2} * head * kPreparedWords<L>;
  for (int i = static_cast<int>(threadIdx.x); i < kPreparedWords<L>; i += kThreads) {
    const int row = i % 32 / 4;
    const int quad = i % 4;
    const int part = i / 32;
    {
      const int f = part % (L::kFeatures / 8) * 8 + row;
      const int half = part / (L::kFeatures / 8);
      const int c = half / 2 * 32 + quad * 8 + half % 2 * 4;
      const SplitPair first = split(entry(c, f), entry(c + 1, f));
      const SplitPair second = split(entry(c + 2, f), entry(c + 3, f));
      to[i] = make_uint4(first.high, second.high, first.low, second.low);
    }
    {
      const int f = part % (L::kFeatures / 16) * 16 + quad * 2;
      const int pair = part / (L::kFeatures / 16);
      const int c = pair / 4 * 32 + row / 2 * 8 + pair % 4 * 2 + row % 2;
      const SplitPair first = split(entry(c, f), entry(c, f + 1));
      const SplitPair second = split(entry(c, f + 8), entry(c, f + 9));
      to[kPreparedWords<L> + i] = make_uint4(first.high, second.high, first.low, second.low);
    }
  }
}

}  // namespace askos::model::cuda
