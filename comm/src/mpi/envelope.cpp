// SPDX-License-Identifier: Apache-2.0
#include "envelope.hpp"

#include <algorithm>

namespace askos::comm {
namespace {

/// FNV-1a over the counts; see http://www.isthe.com/chongo/tech/comp/fnv/.
std::uint64_t digest(const std::vector<std::int64_t>& counts) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const auto count : counts) {
    hash = (hash ^ static_cast<std::uint64_t>(count)) * 0x100000001b3u;
  }
  return hash;
}

}  // namespace

Envelope make_envelope(const Call& call, std::int64_t sequence) {
  Envelope envelope{.sequence = sequence,
                    .kind = static_cast<std::int32_t>(call.kind),
                    .op = static_cast<std::int32_t>(call.op),
                    .root = call.root,
                    .color = call.color,
                    .dtype = static_cast<std::int32_t>(call.receive.dtype),
                    .count = call.receive.count,
                    .num_counts = static_cast<std::int64_t>(call.counts.size()),
                    .counts_digest = digest(call.counts)};
  const auto num_shown = std::min(call.counts.size(), Envelope::kNumShown);
  std::copy_n(call.counts.begin(), num_shown, envelope.counts.begin());
  std::copy_n(call.receive_counts.begin(),
              std::min(call.receive_counts.size(), Envelope::kNumShown),
              envelope.receive_counts.begin());
  std::copy_n(call.name.begin(), std::min(call.name.size(), envelope.name.size() - 1),
              envelope.name.begin());
  return envelope;
}

Call to_call(const Envelope& envelope) {
  const auto num_shown =
      std::min(static_cast<std::size_t>(envelope.num_counts), Envelope::kNumShown);
  return {.kind = CallKind(envelope.kind),
          .op = ReduceOp(envelope.op),
          .root = envelope.root,
          .color = envelope.color,
          .receive = {nullptr, envelope.count, DType(envelope.dtype)},
          .counts = {envelope.counts.begin(),
                     envelope.counts.begin() + static_cast<std::ptrdiff_t>(num_shown)},
          .name = envelope.name.data()};
}

bool agree(const Envelope& a, const Envelope& b) noexcept {
  if (a.kind != b.kind || a.dtype != b.dtype) {
    return false;
  }
  switch (CallKind(a.kind)) {
    case CallKind::kAllReduce: return a.op == b.op && a.count == b.count;
    case CallKind::kBroadcast: return a.root == b.root && a.count == b.count;
    case CallKind::kAllGather:
    case CallKind::kReduceScatter:
      return a.num_counts == b.num_counts && a.counts_digest == b.counts_digest;
    case CallKind::kAllToAll:
    case CallKind::kBarrier:
    case CallKind::kSplit: return true;
  }
  return false;
}

}  // namespace askos::comm
