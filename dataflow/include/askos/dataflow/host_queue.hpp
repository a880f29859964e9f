// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/packet.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

namespace askos::dataflow {

/// The queue between a host's threads and a `HostSource` or `HostSink`. All calls from any thread.
class HostQueue {
 public:
  /// When the event descriptor is readable: when the host can take, or when it can push.
  enum class Signal { kHasPacket, kHasRoom };

  /// Throws `Errc::kEnvironment` if the system gives no event descriptor.
  HostQueue(std::size_t capacity, Signal signal);
  ~HostQueue();
  HostQueue(const HostQueue&) = delete;
  HostQueue& operator=(const HostQueue&) = delete;

  /// Waits for room, at most until `deadline` has passed. Returns false, and leaves `packet` as it
  /// was, if there was none or the queue is closed.
  [[nodiscard]] bool push(AnyPacket& packet, Nanoseconds deadline);
  /// Waits for a packet, at most until `deadline` has passed or the queue is closed and empty.
  [[nodiscard]] std::optional<AnyPacket> pop(Nanoseconds deadline);
  /// Says that nothing more will be pushed.
  void close();
  /// True when nothing is left and nothing will come.
  [[nodiscard]] bool over() const;
  /// Is called after each push and on `close`.
  void call_on_push(Waker waker);
  /// Becomes readable as `Signal` says, and when the queue is closed. Poll it; never read it.
  [[nodiscard]] int event_descriptor() const noexcept { return event_descriptor_; }

 private:
  void update_signal();

  const std::size_t capacity_;
  const Signal signal_;
  const int event_descriptor_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<AnyPacket> packets_;
  bool closed_ = false;
  bool signalled_ = false;
  Waker waker_;
};

}  // namespace askos::dataflow
