// SPDX-License-Identifier: Apache-2.0
// Payloads die and stages are woken only after the lock is released.
#include "edge_state.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace askos::dataflow {
namespace {

void wake(const std::shared_ptr<Wakeable>& stage) noexcept {
  if (stage) stage->wake();
}

/// Returns how many packets of `packet` bytes fit into what `limit` leaves; one at a time if the
/// size of a packet is not known.
int num_that_fit(Bytes used, Bytes limit, Bytes packet) noexcept {
  if (limit.value == 0) return std::numeric_limits<int>::max();
  if (packet.value == 0) return used < limit ? 1 : 0;
  const auto number = std::max<std::int64_t>(0, (limit - used).value / packet.value);
  return static_cast<int>(std::min<std::int64_t>(number, std::numeric_limits<int>::max()));
}

}  // namespace

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    edge_ = std::exchange(other.edge_, nullptr);
    host_bytes_ = other.host_bytes_;
    device_bytes_ = other.device_bytes_;
  }
  return *this;
}

void Lease::release() noexcept {
  if (auto* const edge = std::exchange(edge_, nullptr)) {
    edge->give_back(host_bytes_, device_bytes_);
  }
}

EdgeState::Owner EdgeState::make(const Setup& setup) {
  return Owner(new EdgeState(setup));
}

EdgeState::EdgeState(const Setup& setup)
    : options_(setup.options),
      packet_host_bytes_(setup.packet_host_bytes),
      packet_device_bytes_(setup.packet_device_bytes),
      ring_(static_cast<std::size_t>(setup.options.credit)),
      depth_(setup.options.initial),
      in_flight_(setup.options.initial),
      num_packets_(setup.options.initial) {
  ASKOS_CHECK(options_.credit >= 1 && options_.initial <= options_.credit);
}

void EdgeState::connect(std::shared_ptr<Wakeable> producer, std::shared_ptr<Wakeable> consumer) {
  const std::lock_guard lock(mutex_);
  producer_ = std::move(producer);
  consumer_ = std::move(consumer);
}

bool EdgeState::fits(int num_packets, Bytes host_bytes, Bytes device_bytes) const noexcept {
  return in_flight_ + num_packets <= options_.credit &&
         (options_.host_bytes.value == 0 || host_bytes_ + host_bytes <= options_.host_bytes) &&
         (options_.device_bytes.value == 0 ||
          device_bytes_ + device_bytes <= options_.device_bytes);
}

bool EdgeState::fits_largest(int num_packets) const noexcept {
  const auto least = [](Bytes bytes) { return std::max(bytes, Bytes{1}); };
  return fits(num_packets, least(num_packets * packet_host_bytes_),
              least(num_packets * packet_device_bytes_));
}

int EdgeState::num_free() const {
  if (!blocks() || abandoned()) return std::numeric_limits<int>::max();
  const std::lock_guard lock(mutex_);
  return std::min({options_.credit - in_flight_,
                   num_that_fit(host_bytes_, options_.host_bytes, packet_host_bytes_),
                   num_that_fit(device_bytes_, options_.device_bytes, packet_device_bytes_)});
}

bool EdgeState::wait_for_credit(int needed) {
  const std::lock_guard lock(mutex_);
  if (!blocks() || abandoned() || fits_largest(needed)) return false;
  producer_needs_ = needed;
  return true;
}

std::shared_ptr<Wakeable> EdgeState::producer_to_wake() {
  if (producer_needs_ == 0 || !fits_largest(producer_needs_)) return nullptr;
  if (bursting_ && 2 * in_flight_ > options_.credit) return nullptr;
  producer_needs_ = 0;
  return producer_;
}

std::shared_ptr<Wakeable> EdgeState::consumer_to_wake() {
  if (consumer_needs_ == 0 || (depth_ < consumer_needs_ && !closed_)) return nullptr;
  consumer_needs_ = 0;
  return consumer_;
}

/// Drops the oldest packet that is not claimed; claimed ones move up to close the gap.
std::shared_ptr<const void> EdgeState::drop_oldest() {
  const auto slot_at = [this](int position) -> Slot& {
    return ring_[(head_ + static_cast<std::size_t>(position)) % ring_.size()];
  };
  for (int position = claimed_; position > 0; --position) {
    std::swap(slot_at(position), slot_at(position - 1));
  }
  auto& slot = ring_[head_];
  head_ = (head_ + 1) % ring_.size();
  --depth_;
  --in_flight_;
  host_bytes_ = host_bytes_ - slot.meta.host_bytes;
  device_bytes_ = device_bytes_ - slot.meta.device_bytes;
  return std::move(slot.payload);
}

bool EdgeState::push(std::shared_ptr<const void> payload, const PacketMeta& meta) {
  std::vector<std::shared_ptr<const void>> dropped;
  std::shared_ptr<Wakeable> to_wake;
  {
    const std::lock_guard lock(mutex_);
    ++num_packets_;
    if (abandoned()) {
      ++num_undelivered_;
      return true;
    }
    const auto full = [&] { return !fits(1, meta.host_bytes, meta.device_bytes); };
    if (options_.policy == EdgePolicy::kFail && full()) {
      --num_packets_;
      return false;
    }
    if (drops()) {
      const bool all = options_.policy == EdgePolicy::kLatest;
      while (depth_ > claimed_ && (all || full())) {
        dropped.push_back(drop_oldest());
        ++num_dropped_;
      }
      if (full()) {  // all of the credit is in the consumer's hands
        ++num_dropped_;
        return true;
      }
    }
    ASKOS_CHECK(static_cast<std::size_t>(depth_) < ring_.size());  // credit was reserved
    ring_[(head_ + static_cast<std::size_t>(depth_)) % ring_.size()] = {std::move(payload), meta};
    ++depth_;
    ++in_flight_;
    host_bytes_ += meta.host_bytes;
    device_bytes_ += meta.device_bytes;
    to_wake = consumer_to_wake();
  }
  wake(to_wake);
  return true;
}

void EdgeState::close() {
  std::shared_ptr<Wakeable> to_wake;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    to_wake = consumer_;
  }
  wake(to_wake);
}

EdgeState::Supply EdgeState::supply() const {
  const std::lock_guard lock(mutex_);
  return {depth_, closed_};
}

bool EdgeState::wait_for_packets(int needed) {
  const std::lock_guard lock(mutex_);
  if (depth_ >= needed || closed_) return false;
  consumer_needs_ = needed;
  return true;
}

AnyPacket EdgeState::take(bool lazy) {
  const std::lock_guard lock(mutex_);
  ASKOS_CHECK(depth_ > 0);
  auto& slot = ring_[head_];
  head_ = (head_ + 1) % ring_.size();
  --depth_;
  claimed_ = std::max(0, claimed_ - 1);
  bursting_ = lazy;
  return {slot.meta, std::move(slot.payload),
          Lease(*this, slot.meta.host_bytes, slot.meta.device_bytes)};
}

int EdgeState::claim(int most) {
  const std::lock_guard lock(mutex_);
  claimed_ = std::min(depth_, most);
  return claimed_;
}

void EdgeState::unclaim() {
  const std::lock_guard lock(mutex_);
  claimed_ = 0;
}

void EdgeState::end_burst() {
  std::shared_ptr<Wakeable> to_wake;
  {
    const std::lock_guard lock(mutex_);
    bursting_ = false;
    to_wake = producer_to_wake();
  }
  wake(to_wake);
}

void EdgeState::abandon() {
  std::vector<std::shared_ptr<const void>> dropped;
  std::shared_ptr<Wakeable> to_wake;
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    bursting_ = false;
    claimed_ = 0;
    num_undelivered_ += depth_;
    while (depth_ > 0) {
      dropped.push_back(drop_oldest());
    }
    to_wake = producer_;
  }
  wake(to_wake);
}

void EdgeState::give_back(Bytes host_bytes, Bytes device_bytes) noexcept {
  std::shared_ptr<Wakeable> to_wake;
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    --in_flight_;
    host_bytes_ = host_bytes_ - host_bytes;
    device_bytes_ = device_bytes_ - device_bytes;
    to_wake = producer_to_wake();
    last = retired_ && in_flight_ == 0;
  }
  if (last) {
    delete this;
  } else {
    wake(to_wake);
  }
}

void EdgeState::retire() noexcept {
  std::shared_ptr<Wakeable> producer;
  std::shared_ptr<Wakeable> consumer;
  std::vector<Slot> left;
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    retired_ = true;
    producer.swap(producer_);
    consumer.swap(consumer_);
    in_flight_ -= depth_;
    depth_ = 0;
    left.swap(ring_);
    last = in_flight_ == 0;
  }
  if (last) delete this;
}

EdgeState::Reading EdgeState::read() const {
  const std::lock_guard lock(mutex_);
  return {.credit = options_.credit,
          .depth = depth_,
          .in_flight = in_flight_,
          .host_bytes = host_bytes_,
          .device_bytes = device_bytes_,
          .num_packets = num_packets_,
          .num_dropped = num_dropped_,
          .num_undelivered = num_undelivered_};
}

}  // namespace askos::dataflow
