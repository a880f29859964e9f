// SPDX-License-Identifier: Apache-2.0
// What all bundles read alike is brought into the order of lanes once per call.
#pragma once

#include "bundle.cuh"

namespace askos::model::cuda {

// The edge projection in the order of lanes, per head: [4 steps][high, low][lane] for projecting,
// then [4 tiles][high, low][lane] for expanding.
inline constexpr int kBundleWords = 8 * 32;
inline constexpr int kBundleWordsPerHead = 2 * kBundleWords;

/// Prepares head blockIdx.x.
static __global__ void prepare_bundle_projection(Heads heads,
                                                 const float* weight,
                                                 uint4* prepared) {
  const auto head = static_cast<std::int64_t>(blockIdx.x);
  const auto entry = [&](int channel, int f) {
    const std::int64_t row = head * kBundleHeadSize + channel;
    return f < heads.features ? weight[row * heads.features + f] : 0.F;
  };
  uint4* to = prepared + head * kBundleWordsPerHead;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int row = lane / 4;
  const int quad = lane % 4;
  const int i = static_cast<int>(threadIdx.x) / 32;  // step or tile
  SplitMatrix a;
  const int step_channel = i / 2 * 32 + quad * 8 + i % 2 * 4;
#pragma unroll
  for (int x = 0; x < 4; ++x) {
    const int c = step_channel + x / 2 * 2;
    const int f = row + x % 2 * 8;
    a.set(x, entry(c, f), entry(c + 1, f));
  }
  to[(2 * i) * 32 + lane] = make_uint4(a.high[0], a.high[1], a.high[2], a.high[3]);
  to[(2 * i + 1) * 32 + lane] = make_uint4(a.low[0], a.low[1], a.low[2], a.low[3]);
#pragma unroll
  for (int x = 0; x < 4; ++x) {
    const int c = row / 2 * 8 + i * 2 + row % 2 + x % 2 * 32;
    const int f = quad * 2 + x / 2 * 8;
    a.set(x, entry(c, f), entry(c, f + 1));
  }
  to += kBundleWords;
  to[(2 * i) * 32 + lane] = make_uint4(a.high[0], a.high[1], a.high[2], a.high[3]);
  to[(2 * i + 1) * 32 + lane] = make_uint4(a.low[0], a.low[1], a.low[2], a.low[3]);
}

/// Edge features as `EdgeWords` reads them, 64 bytes an edge; behind the last edge come zeros for a
/// group.
static __global__ void prepare_features(const float* features,
                                        int num_features,
                                        std::int64_t num_edges,
                                        uint4* prepared) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t edge = i / 4;
  if (edge >= num_edges + kGroupEdges) return;
  const auto entry = [&](int f) {
    return edge < num_edges && f < num_features ? __ldg(features + edge * num_features + f) : 0.F;
  };
  const int f = static_cast<int>(i % 4) * 2;
  const SplitPair first = split(entry(f), entry(f + 1));
  const SplitPair second = split(entry(f + 8), entry(f + 9));
  prepared[i] = make_uint4(first.high, second.high, first.low, second.low);
}

}  // namespace askos::model::cuda
