// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/host_queue.hpp>
#include <askos/dataflow/stage.hpp>

#include <limits>
#include <optional>
#include <utility>

namespace askos::dataflow {

/// A sink whose packets go to the host program. Packets wait here on their edge's credit, so the
/// edge bounds them; what the host holds counts too, until it lets go of the packet. `take` may be
/// called from any thread as long as the session lives, also after it has ended.
template <typename T>
class HostSink final : public Stage {
 public:
  explicit HostSink(Contract contract = {}) : in(*this, "in", std::move(contract)) {}
  In<T> in;

  /// Takes the next packet, waiting for it at most until `deadline` has passed or the stage ended.
  [[nodiscard]] std::optional<Packet<T>> take(Nanoseconds deadline) {
    auto packet = queue_.pop(deadline);
    return packet ? std::optional<Packet<T>>(std::move(*packet)) : std::nullopt;
  }
  [[nodiscard]] std::optional<Packet<T>> try_take() { return take(Nanoseconds::zero()); }
  /// True when every packet was taken and none will come. A session that was stopped or failed
  /// leaves this false: ask it for its outcome.
  [[nodiscard]] bool over() const { return queue_.over(); }
  /// Is readable when a packet waits and when the stage has ended.
  [[nodiscard]] int event_descriptor() const noexcept { return queue_.event_descriptor(); }

  void run(Context& context) override {
    auto packet = context.take(in);
    AnyPacket any{packet.meta, std::move(packet.lease), std::move(packet.payload)};
    (void)queue_.push(any, Nanoseconds::zero());
  }
  void finish(Context& /*context*/) override { queue_.close(); }

 private:
  HostQueue queue_{std::numeric_limits<std::size_t>::max(), HostQueue::Signal::kHasPacket};
};

}  // namespace askos::dataflow
