// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace askos::comm {

enum class CallKind {
  kAllReduce,
  kAllGather,
  kReduceScatter,
  kAllToAll,
  kBroadcast,
  kBarrier,
  kSplit
};

/// What one rank asked for when it entered a collective.
struct Call {
  CallKind kind = CallKind::kBarrier;
  ReduceOp op = ReduceOp::kSum;
  int root = 0;   ///< of broadcast
  int color = 0;  ///< of split
  ConstBuffer send{};
  Buffer receive{};                            ///< the only buffer of all_reduce and broadcast
  std::vector<std::int64_t> counts{};          ///< shards; of all_to_all, entries for each rank
  std::vector<std::int64_t> receive_counts{};  ///< of all_to_all, entries from each rank
  std::string name{};                          ///< of split: the new communicator's
};

/// Refuses what `rank` of `size` can see to be wrong by itself: `Errc::kShapeMismatch` if counts
/// and buffers disagree, `kTypeMismatch` if dtypes do, `kInvalidInput` for a root that is no rank.
void check(const Call& call, int rank, int size);

/// Tells whether two ranks may meet with these calls in one collective. What each pair of ranks
/// sends and expects in all_to_all is compared when all have entered.
[[nodiscard]] bool agree(const Call& a, const Call& b) noexcept;

/// Prints `all_reduce(sum, float32 x 12)`.
[[nodiscard]] std::string describe(const Call& call);

/// Adds to the failure of a lost rank which collective of which group met it, unless it says so.
[[nodiscard]] Error with_collective(Error failure,
                                    const std::string& group,
                                    const Call& call,
                                    std::int64_t sequence);

/// Returns the bytes that `rank` sends to other ranks.
[[nodiscard]] std::int64_t wire_bytes(const Call& call, int rank, int size) noexcept;

}  // namespace askos::comm
