// SPDX-License-Identifier: Apache-2.0
#include "pieces.hpp"

#include <askos/comm/partition.hpp>

#include <utility>

namespace askos::comm {
namespace {

/// From here on an all_reduce of three or more ranks has two rounds.
constexpr std::int64_t kTwoRoundBytes = 64 << 10;

}  // namespace

bool has_two_rounds(const Call& call, int size) noexcept {
  return call.kind == CallKind::kAllReduce && size > 2 &&
         call.receive.count * size_of(call.receive.dtype) >= kTwoRoundBytes;
}

Pieces first_round(const Call& call, int rank, int size) {
  const auto ranks = static_cast<std::size_t>(size);
  const auto own = static_cast<std::size_t>(rank);
  const auto entry = size_of(call.receive.dtype);
  const bool in_parts = has_two_rounds(call, size);
  auto* const send = static_cast<std::byte*>(const_cast<void*>(call.send.data));  // only read
  auto* const receive = static_cast<std::byte*>(call.receive.data);
  Pieces pieces{.outgoing = std::vector<Piece>(ranks), .incoming = std::vector<Piece>(ranks)};
  std::int64_t sent = 0;
  std::int64_t received = 0;
  for (std::size_t r = 0; r < ranks; ++r) {
    auto& outgoing = pieces.outgoing[r];
    auto& incoming = pieces.incoming[r];
    switch (call.kind) {
      case CallKind::kAllReduce:
        if (in_parts) {
          const auto part = balanced_range(call.receive.count, size, static_cast<int>(r));
          outgoing = {receive + part.begin * entry, part.size() * entry};
        } else {
          outgoing = {receive, call.receive.count * entry};
        }
        break;
      case CallKind::kReduceScatter:
        outgoing = {send + sent, call.counts[r] * entry};
        sent += outgoing.num_bytes;
        break;
      case CallKind::kAllGather:
        outgoing = {send, call.send.count * entry};
        incoming = {receive + received, call.counts[r] * entry};
        received += incoming.num_bytes;
        break;
      case CallKind::kAllToAll:
        outgoing = {send + sent, call.counts[r] * entry};
        incoming = {receive + received, call.receive_counts[r] * entry};
        sent += outgoing.num_bytes;
        received += incoming.num_bytes;
        break;
      case CallKind::kBroadcast:
        if (rank == call.root) {
          outgoing = {receive, call.receive.count * entry};
        } else if (static_cast<int>(r) == call.root) {
          incoming = {receive, call.receive.count * entry};
        }
        break;
      case CallKind::kBarrier:
      case CallKind::kSplit: break;
    }
  }
  if (is_sum(call)) {
    for (auto& incoming : pieces.incoming) {
      incoming.num_bytes = pieces.outgoing[own].num_bytes;
    }
  }
  return pieces;
}

Pieces second_round(Pieces first, int rank) {
  const auto own = first.outgoing[static_cast<std::size_t>(rank)];
  Pieces pieces;
  pieces.outgoing.assign(first.outgoing.size(), own);
  pieces.incoming = std::move(first.outgoing);
  return pieces;
}

std::int64_t message_bytes(const Call& call, int rank, int size) noexcept {
  if (!has_two_rounds(call, size)) {
    return wire_bytes(call, rank, size);
  }
  const auto count = call.receive.count;
  const auto own = balanced_range(count, size, rank).size();
  return (count - own + (size - 1) * own) * size_of(call.receive.dtype);
}

}  // namespace askos::comm
