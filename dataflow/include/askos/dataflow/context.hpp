// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/packet.hpp>
#include <askos/dataflow/port.hpp>
#include <askos/telemetry/ledger.hpp>

#include <memory>
#include <utility>

namespace askos::dataflow {

/// Whatever can be told that there may be something to do for it.
class Wakeable {
 public:
  virtual ~Wakeable() = default;
  virtual void wake() noexcept = 0;
};

/// Ends the `Context::wake_at` of one stage early; for the thread, callback or device event that a
/// stage waits for. Copyable, any thread, any time: after the stage has ended it does nothing.
class Waker {
 public:
  Waker() = default;
  explicit Waker(std::weak_ptr<Wakeable> stage) noexcept : stage_(std::move(stage)) {}

  void operator()() const noexcept {
    if (const auto stage = stage_.lock()) stage->wake();
  }

 private:
  std::weak_ptr<Wakeable> stage_;
};

/// All that a stage sees of the engine while it runs. Valid only during the call; one thread.
class Context {
 public:
  virtual ~Context() = default;

  /// Takes the next packet of an input. Under `Firing::kAll` every input has `contract().rate`
  /// packets (one where the rate is 0) when `run` is called. A run takes exactly `rate` packets of
  /// each, or none at all if it is not ready (see `wake_at`); anything else, and taking from an
  /// empty input, is `Errc::kInternal`.
  template <typename T>
  [[nodiscard]] Packet<T> take(const In<T>& port) {
    return Packet<T>(take_any(port));
  }

  /// Tells how many packets wait on an input (useful under `Firing::kAny`).
  [[nodiscard]] virtual int num_waiting(const InPort& port) const = 0;

  /// Puts a payload on every edge of an output; never blocks, because credit for
  /// `contract().rate` packets was reserved before `run` was called. One more is `Errc::kInternal`,
  /// and so is one less under `Firing::kAll`, unless the call ends the stage; a payload larger than
  /// the contract says is `Errc::kInvalidInput`. Where `meta` gives no bytes, those of the contract
  /// count.
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
  /// then counts as `account`: `wait.io`, or what else the stage waits for. This is how a shared
  /// stage waits without blocking a thread. A run may call it having taken and emitted nothing: not
  /// ready yet.
  virtual void wake_at(Nanoseconds when, telemetry::State account = telemetry::State::kWaitIo) = 0;

  /// Returns what ends this stage's `wake_at` from another thread.
  [[nodiscard]] virtual Waker waker() const = 0;

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
