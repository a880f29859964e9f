// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"
#include "traced_call.hpp"

#include <askos/telemetry/ledger.hpp>

#include <atomic>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace askos::comm {

/// Turns each collective into a checked `Call`; what becomes of it is the backend's.
class CallingCommunicator : public Communicator {
 public:
  [[nodiscard]] std::int64_t bytes_sent() const noexcept final {
    return bytes_sent_.load(std::memory_order_relaxed);
  }

  [[nodiscard]] WorkPtr all_reduce(Buffer data, ReduceOp op) final {
    return checked({.kind = CallKind::kAllReduce, .op = op, .receive = data});
  }

  [[nodiscard]] WorkPtr all_gather(ConstBuffer send,
                                   Buffer receive,
                                   std::span<const std::int64_t> counts) final {
    return checked(
        {.kind = CallKind::kAllGather, .send = send, .receive = receive, .counts = copy(counts)});
  }

  [[nodiscard]] WorkPtr reduce_scatter(ConstBuffer send,
                                       Buffer receive,
                                       std::span<const std::int64_t> counts) final {
    return checked({.kind = CallKind::kReduceScatter,
                    .send = send,
                    .receive = receive,
                    .counts = copy(counts)});
  }

  [[nodiscard]] WorkPtr all_to_all(ConstBuffer send,
                                   std::span<const std::int64_t> send_counts,
                                   Buffer receive,
                                   std::span<const std::int64_t> receive_counts) final {
    return checked({.kind = CallKind::kAllToAll,
                    .send = send,
                    .receive = receive,
                    .counts = copy(send_counts),
                    .receive_counts = copy(receive_counts)});
  }

  [[nodiscard]] WorkPtr broadcast(Buffer data, int root) final {
    return checked({.kind = CallKind::kBroadcast, .root = root, .receive = data});
  }

  [[nodiscard]] WorkPtr barrier() final { return checked({.kind = CallKind::kBarrier}); }

 private:
  /// Enters the next collective; the call makes sense by itself.
  [[nodiscard]] virtual WorkPtr enter(Call call) = 0;

  /// False if a communicator behind this one tells the trace of its calls.
  [[nodiscard]] virtual bool is_traced() const noexcept { return true; }

  /// Bytes that this rank sends to others for a call.
  [[nodiscard]] virtual std::int64_t sent_bytes(const Call& call) const noexcept {
    return wire_bytes(call, rank(), size());
  }

  WorkPtr checked(Call call) {
    check(call, rank(), size());
    bytes_sent_.fetch_add(sent_bytes(call), std::memory_order_relaxed);
    if (!is_traced()) return enter(std::move(call));
    const TracedCall traced{call.kind, name(), num_entered_++};
    // Whoever moves bytes in here communicates, it does not compute.
    const telemetry::ScopedState state(telemetry::State::kWaitComm);
    return traced.follow(enter(std::move(call)));
  }

  static std::vector<std::int64_t> copy(std::span<const std::int64_t> counts) {
    return {counts.begin(), counts.end()};
  }

  std::atomic<std::int64_t> bytes_sent_{0};
  std::uint32_t num_entered_ = 0;  // place of the next call in the group's order
};

}  // namespace askos::comm
