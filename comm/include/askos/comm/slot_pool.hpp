// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/unit.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace askos::comm {

/// Where a pool's memory comes from: the host's heap here, page-locked memory elsewhere.
class SlotAllocator {
 public:
  virtual ~SlotAllocator() = default;

  /// Returns `bytes` of memory at a multiple of `alignment` (a power of two). Throws
  /// `Errc::kEnvironment` if there is none. Called once per pool.
  [[nodiscard]] virtual std::byte* allocate(Bytes bytes, Bytes alignment) = 0;
  /// Takes back what `allocate` gave, on whichever thread lets go of the pool's last slot.
  virtual void release(std::byte* memory, Bytes bytes, Bytes alignment) noexcept = 0;
};

/// Returns an allocator of ordinary memory.
[[nodiscard]] std::unique_ptr<SlotAllocator> make_host_allocator();

struct SlotPoolOptions {
  std::string name = "slots";
  int num_slots = 2;
  Bytes slot_bytes{};
  Bytes alignment = kibibytes(4);                   ///< of each slot; a power of two
  Nanoseconds deadline = std::chrono::seconds(60);  ///< longest wait of `acquire`
};

namespace detail {
class SlotPoolState;
}

/// The right to use one slot's memory; gives it back when it dies, on any thread. May outlive its
/// pool. Move only.
class Slot {
 public:
  Slot(Slot&& other) noexcept : state_(std::move(other.state_)), index_(other.index_) {}
  Slot& operator=(Slot&& other) noexcept;
  ~Slot();

  /// Number of the slot, `0 … num_slots - 1`: names the same memory each time.
  [[nodiscard]] int index() const noexcept { return index_; }
  /// The slot's memory; holds what its last holder left there. Empty after a move.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept;

 private:
  friend class SlotPool;
  Slot(std::shared_ptr<detail::SlotPoolState> state, int index) noexcept
      : state_(std::move(state)), index_(index) {}

  std::shared_ptr<detail::SlotPoolState> state_;
  int index_;
};

/// A fixed number of buffers of a fixed size, allocated once. A slot is a credit: who reads ahead
/// stops when all are held, and goes on when a consumer lets go of one. Any thread.
class SlotPool {
 public:
  /// Throws `Errc::kInvalidInput` if the options make no sense.
  explicit SlotPool(const SlotPoolOptions& options,
                    std::unique_ptr<SlotAllocator> allocator = make_host_allocator());

  /// Takes a free slot for `holder`, a name for reports and messages. Blocks while there is none,
  /// accounted as `wait.mem`; threads that wait are served in their order. Throws `Errc::kStalled`
  /// naming the holders after the deadline, and `Errc::kCancelled` once the pool is closed.
  [[nodiscard]] Slot acquire(std::string_view holder);

  /// Takes a free slot, or nothing if there is none or somebody waits for one. Throws
  /// `Errc::kCancelled` once the pool is closed.
  [[nodiscard]] std::optional<Slot> try_acquire(std::string_view holder);

  /// Makes `acquire` throw `Errc::kCancelled` with `reason`, now and later. Slots in use stay
  /// valid.
  void close(const std::string& reason);

  /// Who has what, for messages and inspectors.
  struct Report {
    struct Held {
      int index = 0;
      std::string holder;
      Nanoseconds since{};  ///< by `steady_clock()`
    };
    std::string name;
    int num_slots = 0;
    Bytes slot_bytes;
    int most_held = 0;       ///< high-water mark
    int num_waiting = 0;     ///< threads blocked in `acquire`
    std::vector<Held> held;  ///< by index
  };
  [[nodiscard]] Report report() const;

 private:
  std::shared_ptr<detail::SlotPoolState> state_;
};

}  // namespace askos::comm
