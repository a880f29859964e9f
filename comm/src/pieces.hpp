// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace askos::comm {

/// Contiguous memory that one message fills or empties.
struct Piece {
  std::byte* data = nullptr;
  std::int64_t num_bytes = 0;
};

/// The messages of one rank in a collective of direct messages: one to and one from each rank, also
/// to and from itself (what it keeps); none where there are no bytes.
struct Pieces {
  std::vector<Piece> outgoing;  ///< by rank
  std::vector<Piece> incoming;  ///< by rank; those of partial sums have no memory yet
};

/// Tells whether an all_reduce goes in two rounds, parts being summed where they belong and then
/// gathered: that sends 2 * (P - 1) / P of the data, not P - 1 times all of it.
[[nodiscard]] bool has_two_rounds(const Call& call, int size) noexcept;

/// The first round of a call, or its only one.
[[nodiscard]] Pieces first_round(const Call& call, int rank, int size);

/// The second round of an all_reduce, after the sum of the own part was written over its partial.
[[nodiscard]] Pieces second_round(Pieces first, int rank);

[[nodiscard]] inline bool is_sum(const Call& call) noexcept {
  return call.kind == CallKind::kAllReduce || call.kind == CallKind::kReduceScatter;
}

/// Bytes that `rank` sends to other ranks in all rounds.
[[nodiscard]] std::int64_t message_bytes(const Call& call, int rank, int size) noexcept;

}  // namespace askos::comm
