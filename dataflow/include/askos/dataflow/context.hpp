// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/packet.hpp>
#include <askos/dataflow/port.hpp>

#include <memory>
#include <utility>

namespace askos::dataflow {

/// All that a stage sees of the engine while it runs. Valid only during the call; one thread.
class Context {
 public:
  virtual ~Context() = default;

  /// Takes the next packet of an input. Under `Firing::kAll` every input has `contract().rate`
  /// packets when `run` is called; more than that, or an empty input, is `Errc::kInternal`.
  template <typename T>
  [[nodiscard]] Packet<T> take(const In<T>& port) {
    return Packet<T>(take_any(port));
  }

  /// Tells how many packets wait on an input (useful under `Firing::kAny`).
  [[nodiscard]] virtual int num_waiting(const InPort& port) const = 0;

  /// Puts a payload on every edge of an output; never blocks, because credit for
  /// `contract().rate` packets was reserved before `run` was called. One more is `Errc::kInternal`;
  /// a payload larger than the contract says is `Errc::kInvalidInput`.
  template <typename T>
  void emit(const Out<T>& port, std::shared_ptr<const T> payload, const PacketMeta& meta = {}) {
    emit_any(port, std::move(payload), meta);
  }
  template <typename T>
  void emit(const Out<T>& port, T payload, const PacketMeta& meta = {}) {
    emit_any(port, std::make_shared<const T>(std::move(payload)), meta);
  }

  /// Ends this stage after the current call: `finish` runs, then its outputs close.
  virtual void end() noexcept = 0;

  /// Asks to be run again not before `when`, even if packets and credit are there; the time until
  /// then counts as `wait.io`. This is how a shared stage waits without blocking a thread.
  virtual void wake_at(Nanoseconds when) = 0;

  /// True once the session drains or stops: sources end, long loops give up early.
  [[nodiscard]] virtual bool stopping() const noexcept = 0;

  [[nodiscard]] virtual Clock& clock() const noexcept = 0;
  [[nodiscard]] virtual Rank rank() const noexcept = 0;

 protected:
  [[nodiscard]] virtual AnyPacket take_any(const InPort& port) = 0;
  virtual void emit_any(const OutPort& port,
                        std::shared_ptr<const void> payload,
                        const PacketMeta& meta) = 0;
};

}  // namespace askos::dataflow
