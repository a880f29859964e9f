// SPDX-License-Identifier: Apache-2.0
// Payloads die and stages are woken only after the lock is released.
#include "edge_state.hpp"

#include "thread_barrier.hpp"

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
      credit_(setup.options.credit),
      packet_host_bytes_(setup.packet_host_bytes),
      packet_device_bytes_(setup.packet_device_bytes),
      ring_(static_cast<std::size_t>(setup.options.credit)),
      pushed_(setup.options.initial),
      tail_(static_cast<std::size_t>(setup.options.initial) % ring_.size()) {
  ASKOS_CHECK(options_.credit >= 1 && options_.initial <= options_.credit);
}

void EdgeState::connect(std::shared_ptr<Wakeable> producer, std::shared_ptr<Wakeable> consumer) {
  const std::lock_guard lock(mutex_);
  producer_ = std::move(producer);
  consumer_ = std::move(consumer);
}

std::unique_lock<std::mutex> EdgeState::lock_if_drops() const {
  return drops() ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();
}

/// What is returned is read first, so that nothing seems smaller than it was then.
EdgeState::InFlight EdgeState::in_flight() const noexcept {
  const auto returned = returned_.count();
  const Bytes host_bytes{returned_bytes_.host.load(std::memory_order_acquire)};
  const Bytes device_bytes{returned_bytes_.device.load(std::memory_order_acquire)};
  const auto pushed = pushed_.count();
  return {pushed - returned, Bytes{pushed_bytes_.host.load(std::memory_order_relaxed)} - host_bytes,
          Bytes{pushed_bytes_.device.load(std::memory_order_relaxed)} - device_bytes};
}

int EdgeState::depth() const noexcept {
  const auto popped = popped_.load(std::memory_order_acquire);
  return static_cast<int>(pushed_.count() - popped);
}

bool EdgeState::fits(int num_packets, Bytes host_bytes, Bytes device_bytes) const noexcept {
  const auto used = in_flight();
  return used.packets + num_packets <= credit() &&
         (options_.host_bytes.value == 0 || used.host_bytes + host_bytes <= options_.host_bytes) &&
         (options_.device_bytes.value == 0 ||
          used.device_bytes + device_bytes <= options_.device_bytes);
}

bool EdgeState::fits_largest(int num_packets) const noexcept {
  const auto least = [](Bytes bytes) { return std::max(bytes, Bytes{1}); };
  return fits(num_packets, least(num_packets * packet_host_bytes_),
              least(num_packets * packet_device_bytes_));
}

int EdgeState::num_free() {
  if (!blocks() || abandoned()) return std::numeric_limits<int>::max();
  const auto used = in_flight();
  returned_seen_ = pushed_.count() - used.packets;
  return std::min({credit() - static_cast<int>(used.packets),
                   num_that_fit(used.host_bytes, options_.host_bytes, packet_host_bytes_),
                   num_that_fit(used.device_bytes, options_.device_bytes, packet_device_bytes_)});
}

bool EdgeState::has_slot() noexcept {
  const auto pushed = pushed_.count();
  if (pushed - returned_seen_ >= credit()) returned_seen_ = returned_.count();
  return pushed - returned_seen_ < credit();
}

bool EdgeState::wait_for_credit(int needed) {
  const std::lock_guard lock(mutex_);
  if (!blocks() || abandoned()) return false;
  returned_.watch();
  producer_needs_ = fits_largest(needed) ? 0 : needed;
  if (producer_needs_ == 0) returned_.unwatch();
  return producer_needs_ > 0;
}

std::shared_ptr<Wakeable> EdgeState::producer_to_wake() {
  if (producer_needs_ == 0 || !fits_largest(producer_needs_)) return nullptr;
  const bool soon = (marks_.load(std::memory_order_relaxed) & kBursting) != 0;
  if (soon && 2 * in_flight().packets > credit()) return nullptr;
  producer_needs_ = 0;
  returned_.unwatch();
  return producer_;
}

std::shared_ptr<Wakeable> EdgeState::consumer_to_wake() {
  if (consumer_needs_ == 0 || depth() < consumer_needs_) return nullptr;
  consumer_needs_ = 0;
  pushed_.unwatch();
  return consumer_;
}

/// Writes a packet where it will be found once it is counted.
void EdgeState::put(std::shared_ptr<const void> payload,
                    const PacketMeta& meta,
                    std::uint64_t tick) noexcept {
  const auto add = [](std::atomic<std::int64_t>& sum, Bytes bytes) {  // nobody else does
    sum.store(sum.load(std::memory_order_relaxed) + bytes.value, std::memory_order_relaxed);
  };
  ring_[tail_] = {std::move(payload), meta, tick};
  tail_ = tail_ + 1 == ring_.size() ? 0 : tail_ + 1;
  add(pushed_bytes_.host, meta.host_bytes);
  add(pushed_bytes_.device, meta.device_bytes);
}

EdgeState::Slot& EdgeState::pop() noexcept {
  auto& slot = ring_[head_];
  head_ = head_ + 1 == ring_.size() ? 0 : head_ + 1;
  popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  return slot;
}

/// Drops the oldest packet that is not claimed; claimed ones move up to close the gap.
std::shared_ptr<const void> EdgeState::drop_oldest() {
  const auto slot_at = [this](int position) -> Slot& {
    return ring_[(head_ + static_cast<std::size_t>(position)) % ring_.size()];
  };
  for (int position = claimed_; position > 0; --position) {
    std::swap(slot_at(position), slot_at(position - 1));
  }
  auto& slot = pop();
  count_returned(slot.meta.host_bytes, slot.meta.device_bytes);
  returned_.add(1);
  return std::move(slot.payload);
}

bool EdgeState::push(std::shared_ptr<const void> payload,
                     const PacketMeta& meta,
                     std::uint64_t tick) {
  return drops() ? push_dropping(std::move(payload), meta, tick)
                 : push_blocking(std::move(payload), meta, tick);
}

bool EdgeState::push_blocking(std::shared_ptr<const void> payload,
                              const PacketMeta& meta,
                              std::uint64_t tick) {
  if (abandoned()) {
    const std::lock_guard lock(mutex_);
    ++num_refused_;
    ++num_undelivered_;
    return true;
  }
  if (options_.policy == EdgePolicy::kFail && !fits(1, meta.host_bytes, meta.device_bytes)) {
    return false;
  }
  ASKOS_CHECK(has_slot());  // credit was reserved
  put(std::move(payload), meta, tick);
  if (pushed_.try_increment()) return true;
  std::shared_ptr<const void> dropped;
  std::shared_ptr<Wakeable> to_wake;
  {
    const std::lock_guard lock(mutex_);
    pushed_.add(1);
    if (abandoned()) {  // meanwhile
      ++num_undelivered_;
      dropped = drop_oldest();
    }
    to_wake = consumer_to_wake();
  }
  wake(to_wake);
  return true;
}

bool EdgeState::push_dropping(std::shared_ptr<const void> payload,
                              const PacketMeta& meta,
                              std::uint64_t tick) {
  std::vector<std::shared_ptr<const void>> dropped;
  std::shared_ptr<Wakeable> to_wake;
  {
    const std::lock_guard lock(mutex_);
    if (abandoned()) {
      ++num_refused_;
      ++num_undelivered_;
      return true;
    }
    const auto full = [&] { return !fits(1, meta.host_bytes, meta.device_bytes); };
    const bool all = options_.policy == EdgePolicy::kLatest;
    while (depth() > claimed_ && (all || full())) {
      dropped.push_back(drop_oldest());
      ++num_dropped_;
    }
    if (full()) {  // all of the credit is in the consumer's hands
      ++num_refused_;
      ++num_dropped_;
      return true;
    }
    put(std::move(payload), meta, tick);
    pushed_.add(1);
    to_wake = consumer_to_wake();
  }
  wake(to_wake);
  return true;
}

void EdgeState::close() {
  std::shared_ptr<Wakeable> to_wake;
  {
    const std::lock_guard lock(mutex_);
    closed_.store(true, std::memory_order_release);
    to_wake = consumer_;
  }
  wake(to_wake);
}

EdgeState::Supply EdgeState::supply() {
  const auto lock = lock_if_drops();
  const bool closed = closed_.load(std::memory_order_acquire);  // first: then all is pushed
  const int depth = this->depth();
  return {depth, closed};
}

bool EdgeState::wait_for_packets(int needed) {
  const std::lock_guard lock(mutex_);
  pushed_.watch();
  const bool over = closed_.load(std::memory_order_relaxed);
  consumer_needs_ = over || depth() >= needed ? 0 : needed;
  if (consumer_needs_ == 0) pushed_.unwatch();
  return consumer_needs_ > 0;
}

AnyPacket EdgeState::take(bool lazy) {
  const auto lock = lock_if_drops();
  const auto popped = popped_.load(std::memory_order_relaxed);
  if (popped >= pushed_seen_) pushed_seen_ = pushed_.count();
  ASKOS_CHECK(popped < pushed_seen_);
  auto& slot = pop();
  claimed_ = std::max(0, claimed_ - 1);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the pop is first: see `look`
  if (marks_.load(std::memory_order_acquire) != (lazy ? kBursting : 0)) update_marks(lazy);
  return {slot.meta, Lease(*this, slot.meta.host_bytes, slot.meta.device_bytes),
          std::move(slot.payload)};
}

/// Notes whether a burst is on; waits while somebody looks at the packets.
void EdgeState::update_marks(bool lazy) {
  if (!drops() && (marks_.load(std::memory_order_acquire) & kLookedAt) != 0) {
    const std::lock_guard lock(mutex_);
  }
  if (lazy) {
    marks_.fetch_or(kBursting, std::memory_order_relaxed);
  } else {
    marks_.fetch_and(static_cast<std::uint8_t>(~kBursting), std::memory_order_relaxed);
  }
}

/// A consumer pops first and then looks for the mark; here the mark is set first and then what is
/// popped is read. The barrier of all threads between the two makes sure that one of them sees the
/// other, and costs the consumer nothing.
std::vector<EdgeState::Seen> EdgeState::look(std::int64_t most) {
  std::vector<Seen> seen;
  const std::lock_guard lock(mutex_);
  if (retired_) return seen;
  marks_.fetch_or(kLookedAt, std::memory_order_relaxed);
  const bool ordered = drops() || order_all_threads();
  if (ordered) {
    const auto first = popped_.load(std::memory_order_acquire);
    const auto last = std::min(pushed_.count(), most < 0 ? first : first + most);
    for (auto number = first; number < last; ++number) {
      const auto& slot = ring_[static_cast<std::size_t>(number) % ring_.size()];
      seen.push_back({number, slot.meta, slot.tick, slot.payload});
    }
  }
  marks_.fetch_and(static_cast<std::uint8_t>(~kLookedAt), std::memory_order_release);
  if (!ordered) {
    throw Error(Errc::kEnvironment, "the system has no barrier for all threads (membarrier)");
  }
  return seen;
}

void EdgeState::set_credit(int credit) {
  const std::lock_guard lock(mutex_);
  const auto size = static_cast<std::size_t>(credit);
  if (size > ring_.size()) {
    std::vector<Slot> larger(size);
    const auto popped = popped_.load(std::memory_order_acquire);
    for (auto number = popped; number < pushed_.count(); ++number) {
      const auto place = static_cast<std::size_t>(number);
      larger[place % size] = std::move(ring_[place % ring_.size()]);
    }
    ring_.swap(larger);
    head_ = static_cast<std::size_t>(popped) % size;
    tail_ = static_cast<std::size_t>(pushed_.count()) % size;
  }
  credit_.store(credit, std::memory_order_relaxed);
}

int EdgeState::claim(int most) {
  const std::lock_guard lock(mutex_);
  claimed_ = std::min(depth(), most);
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
    marks_.fetch_and(static_cast<std::uint8_t>(~kBursting), std::memory_order_relaxed);
    to_wake = producer_to_wake();
  }
  wake(to_wake);
}

void EdgeState::abandon() {
  std::vector<std::shared_ptr<const void>> dropped;
  std::shared_ptr<Wakeable> to_wake;
  {
    const std::lock_guard lock(mutex_);
    abandoned_.store(true, std::memory_order_relaxed);
    marks_.fetch_and(static_cast<std::uint8_t>(~kBursting), std::memory_order_relaxed);
    claimed_ = 0;
    pushed_.watch();  // for good: what is pushed from now on is dropped
    for (int left = depth(); left > 0; --left) {
      ++num_undelivered_;
      dropped.push_back(drop_oldest());
    }
    to_wake = producer_;
  }
  wake(to_wake);
}

void EdgeState::count_returned(Bytes host_bytes, Bytes device_bytes) noexcept {
  const auto add = [](std::atomic<std::int64_t>& sum, Bytes bytes) {
    if (bytes.value != 0) sum.fetch_add(bytes.value, std::memory_order_release);
  };
  add(returned_bytes_.host, host_bytes);
  add(returned_bytes_.device, device_bytes);
}

/// Counting is the last thing done to the edge, unless it is done under the lock: whoever counts
/// the last packet of a retired edge frees it, after all others have left the lock.
void EdgeState::give_back(Bytes host_bytes, Bytes device_bytes) noexcept {
  count_returned(host_bytes, device_bytes);
  if (returned_.try_increment()) return;
  std::shared_ptr<Wakeable> to_wake;
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    returned_.add(1);
    to_wake = producer_to_wake();
    last = retired_ && in_flight().packets == 0;
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
    returned_.watch();  // for good
    producer_needs_ = 0;
    producer.swap(producer_);
    consumer.swap(consumer_);
    returned_.add(depth());
    popped_.store(pushed_.count(), std::memory_order_release);
    left.swap(ring_);
    last = in_flight().packets == 0;
  }
  if (last) delete this;
}

EdgeState::Reading EdgeState::read() const {
  const std::lock_guard lock(mutex_);
  const auto used = in_flight();
  const int most =
      static_cast<int>(std::min(used.packets, std::max<std::int64_t>(credit(), std::ssize(ring_))));
  return {.credit = credit(),
          .depth = std::min(depth(), most),
          .in_flight = most,
          .host_bytes = used.host_bytes,
          .device_bytes = used.device_bytes,
          .num_packets = pushed_.count() + num_refused_,
          .num_dropped = num_dropped_,
          .num_undelivered = num_undelivered_};
}

}  // namespace askos::dataflow
