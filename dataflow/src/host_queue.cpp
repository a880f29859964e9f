// SPDX-License-Identifier: Apache-2.0
#include "event_descriptor.hpp"

#include <askos/dataflow/host_queue.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace askos::dataflow {
namespace {

constexpr Nanoseconds kLongWait = std::chrono::hours(24 * 365);  // adding it to now is safe

}  // namespace

HostQueue::HostQueue(std::size_t capacity, Signal signal)
    : capacity_(capacity), signal_(signal), event_descriptor_(make_event_descriptor()) {
  update_signal();
}

HostQueue::~HostQueue() {
  close_event_descriptor(event_descriptor_);
}

void HostQueue::update_signal() {
  const bool ready =
      signal_ == Signal::kHasPacket ? !packets_.empty() : packets_.size() < capacity_;
  const bool wanted = ready || closed_;
  if (wanted == signalled_) return;
  signalled_ = wanted;
  wanted ? raise_event(event_descriptor_) : clear_event(event_descriptor_);
}

bool HostQueue::push(AnyPacket& packet, Nanoseconds deadline) {
  Waker waker;
  {
    std::unique_lock lock(mutex_);
    const bool ready = changed_.wait_for(lock, std::min(deadline, kLongWait),
                                         [this] { return closed_ || packets_.size() < capacity_; });
    if (!ready || closed_) return false;
    packets_.push_back(std::move(packet));
    update_signal();
    waker = waker_;
  }
  changed_.notify_all();
  waker();
  return true;
}

std::optional<AnyPacket> HostQueue::pop(Nanoseconds deadline) {
  std::optional<AnyPacket> packet;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::min(deadline, kLongWait),
                      [this] { return closed_ || !packets_.empty(); });
    if (packets_.empty()) return packet;
    packet = std::move(packets_.front());
    packets_.pop_front();
    update_signal();
  }
  changed_.notify_all();
  return packet;
}

void HostQueue::close() {
  Waker waker;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    update_signal();
    waker = waker_;
  }
  changed_.notify_all();
  waker();
}

bool HostQueue::over() const {
  const std::lock_guard lock(mutex_);
  return closed_ && packets_.empty();
}

void HostQueue::call_on_push(Waker waker) {
  const std::lock_guard lock(mutex_);
  waker_ = std::move(waker);
}

}  // namespace askos::dataflow
