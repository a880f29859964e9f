// SPDX-License-Identifier: Apache-2.0
#include "local_move.hpp"

#include "combine.hpp"

#include <askos/comm/partition.hpp>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace askos::comm {
namespace {

const std::byte* at(ConstBuffer buffer, std::int64_t entry) noexcept {
  return static_cast<const std::byte*>(buffer.data) + entry * size_of(buffer.dtype);
}

std::byte* at(Buffer buffer, std::int64_t entry) noexcept {
  return static_cast<std::byte*>(buffer.data) + entry * size_of(buffer.dtype);
}

/// Copies entries `[from, from + count)` of `source` to position `to`; nothing if they lie there.
void copy(ConstBuffer source,
          std::int64_t from,
          Buffer target,
          std::int64_t to,
          std::int64_t count) noexcept {
  if (count > 0 && at(source, from) != at(target, to)) {
    std::memcpy(at(target, to), at(source, from),
                static_cast<std::size_t>(count * size_of(source.dtype)));
  }
}

std::int64_t offset(const std::vector<std::int64_t>& counts, int rank) noexcept {
  return std::accumulate(counts.begin(), counts.begin() + rank, std::int64_t{0});
}

/// Combines entries `[begin, end)` of what `source` selects, in rank order, block by block, and
/// hands each block's first entry and sums to `store`.
template <typename Source, typename Store>
void combine(std::span<const Call> calls, Range range, Source source, Store store) noexcept {
  CombineBlock block(calls[0].receive.dtype, calls[0].op);
  for (auto begin = range.begin; begin < range.end; begin += CombineBlock::kMaxEntries) {
    const auto count = std::min(range.end - begin, CombineBlock::kMaxEntries);
    block.load(at(source(calls[0]), begin), count);
    for (const Call& call : calls.subspan(1)) {
      block.add(at(source(call), begin));
    }
    store(begin, block);
  }
}

void all_reduce(std::span<const Call> calls, int part) noexcept {
  const auto range = balanced_range(calls[0].receive.count, static_cast<int>(calls.size()), part);
  combine(
      calls, range, [](const Call& call) -> ConstBuffer { return call.receive; },
      [&](std::int64_t begin, const CombineBlock& block) {
        for (const Call& call : calls) {
          block.store(at(call.receive, begin));
        }
      });
}

void reduce_scatter(std::span<const Call> calls, int part) noexcept {
  const Call& own = calls[static_cast<std::size_t>(part)];
  const auto first = offset(own.counts, part);
  combine(
      calls, {first, first + own.receive.count}, [](const Call& call) { return call.send; },
      [&](std::int64_t begin, const CombineBlock& block) {
        block.store(at(own.receive, begin - first));
      });
}

void all_gather(std::span<const Call> calls, int part) noexcept {
  std::int64_t to = 0;
  for (const Call& call : calls) {
    copy(call.send, 0, calls[static_cast<std::size_t>(part)].receive, to, call.send.count);
    to += call.send.count;
  }
}

void all_to_all(std::span<const Call> calls, int part) noexcept {
  const Call& own = calls[static_cast<std::size_t>(part)];
  std::int64_t to = 0;
  for (std::size_t r = 0; r < calls.size(); ++r) {
    copy(calls[r].send, offset(calls[r].counts, part), own.receive, to, own.receive_counts[r]);
    to += own.receive_counts[r];
  }
}

void broadcast(std::span<const Call> calls, int part) noexcept {
  const Call& own = calls[static_cast<std::size_t>(part)];
  copy(calls[static_cast<std::size_t>(own.root)].receive, 0, own.receive, 0, own.receive.count);
}

}  // namespace

void move_part(std::span<const Call> calls, int part) noexcept {
  switch (calls[0].kind) {
    case CallKind::kAllReduce: return all_reduce(calls, part);
    case CallKind::kAllGather: return all_gather(calls, part);
    case CallKind::kReduceScatter: return reduce_scatter(calls, part);
    case CallKind::kAllToAll: return all_to_all(calls, part);
    case CallKind::kBroadcast: return broadcast(calls, part);
    case CallKind::kBarrier:
    case CallKind::kSplit: return;
  }
}

}  // namespace askos::comm
