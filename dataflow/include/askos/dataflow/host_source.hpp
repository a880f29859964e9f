// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/host_queue.hpp>
#include <askos/dataflow/stage.hpp>

#include <memory>
#include <utility>

namespace askos::dataflow {

/// A source whose packets come from the host program. `push` may be called from any thread as long
/// as the session lives; one packet waits for credit here, in addition to those on the edge.
template <typename T>
class HostSource final : public Stage {
 public:
  explicit HostSource(Contract contract = {}) : out(*this, "out", std::move(contract)) {}
  Out<T> out;

  /// Hands a packet over, waiting for room at most until `deadline` has passed. Returns false if
  /// there was none, or nobody takes packets any more. What was accepted is delivered, also when
  /// the session drains.
  [[nodiscard]] bool push(std::shared_ptr<const T> payload,
                          Nanoseconds deadline,
                          const PacketMeta& meta = {}) {
    AnyPacket packet{meta, {}, std::move(payload)};
    return queue_.push(packet, deadline);
  }
  [[nodiscard]] bool try_push(std::shared_ptr<const T> payload, const PacketMeta& meta = {}) {
    return push(std::move(payload), Nanoseconds::zero(), meta);
  }
  /// Says that nothing more will come; the stage ends when all is delivered.
  void close() { queue_.close(); }
  /// Is readable when `try_push` will succeed or fail for good.
  [[nodiscard]] int event_descriptor() const noexcept { return queue_.event_descriptor(); }

  void start(Context& context) override { queue_.call_on_push(context.waker()); }
  void run(Context& context) override {
    if (emit_next(context)) return;
    queue_.over() ? context.end() : context.wake_at(Nanoseconds::max());
  }
  void finish(Context& context) override {
    queue_.close();
    (void)emit_next(context);
  }

 private:
  bool emit_next(Context& context) {
    auto packet = queue_.pop(Nanoseconds::zero());
    if (!packet) return false;
    context.emit(out, std::static_pointer_cast<const T>(std::move(packet->payload)), packet->meta);
    return true;
  }

  HostQueue queue_{1, HostQueue::Signal::kHasRoom};
};

}  // namespace askos::dataflow
