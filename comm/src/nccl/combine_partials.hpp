// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace askos::comm {

enum class Combination { kSum, kMax, kMin };

/// The partial results of one range of entries, on a device: `own` is that of rank `rank`; those of
/// the other ranks lie one after another from `others`, by rank, `count` entries each.
template <typename T>
struct Partials {
  const T* own = nullptr;
  const T* others = nullptr;
  int rank = 0;
  int size = 1;
  std::int64_t count = 0;
};

/// Combines the partials entry by entry in rank order into `to`, which may be `own`. Sums of half
/// types accumulate in float32 and are rounded once, integers wrap around: the bits of
/// `CombineBlock`. T is float, double, __half, __nv_bfloat16, int32_t, int64_t or uint8_t. Queues
/// work on `stream` and returns what the launch did.
template <typename T>
cudaError_t combine_partials(Combination combination,
                             const Partials<T>& partials,
                             T* to,
                             cudaStream_t stream);

}  // namespace askos::comm
