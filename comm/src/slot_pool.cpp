// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/slot_pool.hpp>
#include <askos/telemetry/ledger.hpp>

#include <algorithm>
#include <bit>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <new>
#include <sstream>

namespace askos::comm {
namespace {

class HostAllocator final : public SlotAllocator {
 public:
  [[nodiscard]] std::byte* allocate(Bytes bytes, Bytes alignment) override {
    try {
      return static_cast<std::byte*>(
          ::operator new(static_cast<std::size_t>(bytes.value), align(alignment)));
    } catch (const std::bad_alloc&) {
      throw Error(Errc::kEnvironment, "no memory for slots").with("bytes", bytes);
    }
  }
  void release(std::byte* memory, Bytes, Bytes alignment) noexcept override {
    ::operator delete(memory, align(alignment));
  }

 private:
  static std::align_val_t align(Bytes alignment) noexcept {
    return std::align_val_t{static_cast<std::size_t>(alignment.value)};
  }
};

/// Checks the options and returns the distance of two slots.
Bytes stride(const SlotPoolOptions& options) {
  const auto alignment = options.alignment.value;
  const auto most = std::numeric_limits<std::int64_t>::max() / std::max(options.num_slots, 1);
  if (options.num_slots < 1 || options.slot_bytes.value < 1 || alignment < 1 ||
      !std::has_single_bit(static_cast<std::uint64_t>(alignment)) ||
      options.slot_bytes.value > most - alignment) {
    throw Error(Errc::kInvalidInput, "slot pool makes no sense")
        .with("pool", options.name)
        .with("slots", options.num_slots)
        .with("slot_bytes", options.slot_bytes.value)
        .with("alignment", alignment);
  }
  return {(options.slot_bytes.value + alignment - 1) / alignment * alignment};
}

}  // namespace

std::unique_ptr<SlotAllocator> make_host_allocator() {
  return std::make_unique<HostAllocator>();
}

namespace detail {

/// What the pool and its slots share.
class SlotPoolState {
 public:
  SlotPoolState(const SlotPoolOptions& options, std::unique_ptr<SlotAllocator> allocator)
      : options_(options),
        stride_(stride(options)),
        allocator_(std::move(allocator)),
        memory_(allocator_->allocate(options.num_slots * stride_, options.alignment)),
        slots_(static_cast<std::size_t>(options.num_slots)) {
    for (int index = options.num_slots - 1; index >= 0; --index) {
      free_.push_back(index);
    }
  }

  ~SlotPoolState() {
    allocator_->release(memory_, options_.num_slots * stride_, options_.alignment);
  }

  SlotPoolState(const SlotPoolState&) = delete;
  SlotPoolState& operator=(const SlotPoolState&) = delete;

  [[nodiscard]] std::span<std::byte> bytes(int index) const noexcept {
    return {memory_ + index * stride_.value, static_cast<std::size_t>(options_.slot_bytes.value)};
  }

  [[nodiscard]] std::optional<int> try_take(std::string_view holder) {
    const std::lock_guard lock(mutex_);
    throw_if_closed();
    if (free_.empty() || !waiting_.empty()) {
      return std::nullopt;
    }
    return take(holder);
  }

  [[nodiscard]] int take_or_wait(std::string_view holder) {
    std::unique_lock lock(mutex_);
    if ((free_.empty() || !waiting_.empty()) && !closed_) {
      wait(lock, holder);
    }
    throw_if_closed();
    return take(holder);
  }

  void give_back(int index) noexcept {
    {
      const std::lock_guard lock(mutex_);
      slots_[static_cast<std::size_t>(index)].held = false;
      free_.push_back(index);  // never more than were reserved by the constructor
    }
    changed_.notify_all();
  }

  void close(const std::string& reason) {
    {
      const std::lock_guard lock(mutex_);
      if (!closed_) {
        closed_ = reason;
      }
    }
    changed_.notify_all();
  }

  [[nodiscard]] SlotPool::Report report() const {
    const std::lock_guard lock(mutex_);
    SlotPool::Report report{.name = options_.name,
                            .num_slots = options_.num_slots,
                            .slot_bytes = options_.slot_bytes,
                            .most_held = most_held_,
                            .num_waiting = static_cast<int>(waiting_.size()),
                            .held = {}};
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].held) {
        report.held.push_back({static_cast<int>(i), slots_[i].holder, slots_[i].since});
      }
    }
    return report;
  }

 private:
  struct Use {
    bool held = false;
    std::string holder;
    Nanoseconds since{};
  };

  // These need the lock.
  void wait(std::unique_lock<std::mutex>& lock, std::string_view holder) {
    const telemetry::ScopedState state(telemetry::State::kWaitMem);
    const auto ticket = next_ticket_++;
    waiting_.push_back(ticket);
    const bool in_time = changed_.wait_for(lock, options_.deadline, [&] {
      return closed_ || (waiting_.front() == ticket && !free_.empty());
    });
    std::erase(waiting_, ticket);
    changed_.notify_all();  // another thread is first now
    if (!in_time) {
      const std::chrono::duration<double> seconds = options_.deadline;
      throw Error(Errc::kStalled, "no slot came free in time")
          .with("pool", options_.name)
          .with("wanted_by", holder)
          .with("held_by", holders())
          .with("seconds", seconds.count());
    }
  }

  [[nodiscard]] int take(std::string_view holder) {
    const int index = free_.back();
    slots_[static_cast<std::size_t>(index)] = {true, std::string(holder), steady_clock().now()};
    free_.pop_back();
    most_held_ = std::max(most_held_, options_.num_slots - static_cast<int>(free_.size()));
    return index;
  }

  void throw_if_closed() const {
    if (closed_) {
      throw Error(Errc::kCancelled, "slot pool is closed")
          .with("reason", *closed_)
          .with("pool", options_.name);
    }
  }

  [[nodiscard]] std::string holders() const {
    std::ostringstream out;
    const char* separator = "";
    for (const Use& slot : slots_) {
      if (slot.held) {
        out << std::exchange(separator, ",") << slot.holder;
      }
    }
    return out.str();
  }

  const SlotPoolOptions options_;
  const Bytes stride_;
  const std::unique_ptr<SlotAllocator> allocator_;
  std::byte* const memory_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Use> slots_;            // by index
  std::vector<int> free_;             // the last given back is taken first: its memory is warm
  std::deque<std::int64_t> waiting_;  // tickets, in order
  std::int64_t next_ticket_ = 0;
  std::optional<std::string> closed_;  // the reason
  int most_held_ = 0;
};

}  // namespace detail

Slot& Slot::operator=(Slot&& other) noexcept {
  Slot former(std::move(*this));
  state_ = std::move(other.state_);
  index_ = other.index_;
  return *this;
}

Slot::~Slot() {
  if (state_ != nullptr) {
    state_->give_back(index_);
  }
}

std::span<std::byte> Slot::bytes() const noexcept {
  return state_ == nullptr ? std::span<std::byte>{} : state_->bytes(index_);
}

SlotPool::SlotPool(const SlotPoolOptions& options, std::unique_ptr<SlotAllocator> allocator)
    : state_(std::make_shared<detail::SlotPoolState>(options, std::move(allocator))) {}

Slot SlotPool::acquire(std::string_view holder) {
  return {state_, state_->take_or_wait(holder)};
}

std::optional<Slot> SlotPool::try_acquire(std::string_view holder) {
  const auto index = state_->try_take(holder);
  return index ? std::optional<Slot>(Slot(state_, *index)) : std::nullopt;
}

void SlotPool::close(const std::string& reason) {
  state_->close(reason);
}

SlotPool::Report SlotPool::report() const {
  return state_->report();
}

}  // namespace askos::comm
