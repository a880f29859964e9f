// SPDX-License-Identifier: Apache-2.0
// One edge under way: a small ring with its credit, outside whatever runs the stages, so that it
// can be read while a stage is stuck.
//
// Credit is counted from `push` until the packet's lease dies. An edge outlives its session while
// somebody holds a packet of it, and frees itself with the last one.
//
// Three counts tell all: packets pushed by the producer, popped by the consumer, and returned by
// whoever held their leases; always returned <= popped <= pushed. A packet takes no lock unless
// somebody has to be told of it, because a stage sleeps or has ended; edges that drop always lock,
// since there the producer pops as well. A slot is used again when its packet and all before it are
// popped: `pushed - returned < credit` says so, and the producer has acquired it with `returned`.
#pragma once

#include "watched_count.hpp"

#include <askos/dataflow/context.hpp>
#include <askos/dataflow/graph.hpp>
#include <askos/dataflow/packet.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace askos::dataflow {

class EdgeState {
 public:
  struct Retire {
    void operator()(EdgeState* edge) const noexcept { edge->retire(); }
  };
  using Owner = std::unique_ptr<EdgeState, Retire>;

  /// What an edge is made of; the sizes are those of the largest packet, 0 where not stated.
  struct Setup {
    EdgeOptions options;
    Bytes packet_host_bytes{};
    Bytes packet_device_bytes{};
  };

  /// What the consumer finds; `depth` only grows until it takes, unless the policy drops.
  struct Supply {
    int depth = 0;
    bool closed = false;
  };

  /// Counts for a status; those of a moment, or of a very short time if many packets pass.
  struct Reading {
    int credit = 0;
    int depth = 0;
    int in_flight = 0;
    Bytes host_bytes;
    Bytes device_bytes;
    std::int64_t num_packets = 0;
    std::int64_t num_dropped = 0;
    std::int64_t num_undelivered = 0;
  };

  [[nodiscard]] static Owner make(const Setup& setup);

  /// Says whom to wake: before the first push, and nobody after the last.
  void connect(std::shared_ptr<Wakeable> producer, std::shared_ptr<Wakeable> consumer);

  // --- producer; one thread at a time ---

  [[nodiscard]] bool blocks() const noexcept { return options_.policy == EdgePolicy::kBlock; }
  [[nodiscard]] bool drops() const noexcept {
    return options_.policy == EdgePolicy::kLatest || options_.policy == EdgePolicy::kDropOldest;
  }
  /// Returns how many packets of the largest size fit now; never shrinks until the next push.
  [[nodiscard]] int num_free();
  /// Returns false if `needed` packets fit; else the producer is woken once when they do.
  [[nodiscard]] bool wait_for_credit(int needed);
  /// Puts a packet on the edge, by policy. Returns false if it is full and the policy is `kFail`.
  /// `tick` is about when it happens, in `telemetry::ticks`.
  [[nodiscard]] bool push(std::shared_ptr<const void> payload,
                          const PacketMeta& meta,
                          std::uint64_t tick = 0);
  /// Says that nothing more will come.
  void close();
  /// True once the consumer has gone; packets are then dropped.
  [[nodiscard]] bool abandoned() const noexcept {
    return abandoned_.load(std::memory_order_relaxed);
  }

  // --- consumer; one thread at a time ---

  [[nodiscard]] Supply supply();
  /// Returns false if `needed` packets are there or the edge is closed; else the consumer is woken
  /// once when one of it is so.
  [[nodiscard]] bool wait_for_packets(int needed);
  /// Takes the oldest packet; the edge must not be empty. `lazy` promises that `end_burst` follows
  /// soon, so that a waiting producer need not be woken before half of the credit is free.
  [[nodiscard]] AnyPacket take(bool lazy);
  void end_burst();
  /// Keeps the policy from dropping the `most` oldest packets until `unclaim`; returns how many
  /// there are of them. Only an edge that drops needs it.
  [[nodiscard]] int claim(int most);
  void unclaim();
  /// Says that nothing more will be taken, and drops what is there.
  void abandon();

  // --- any thread ---

  void give_back(Bytes host_bytes, Bytes device_bytes) noexcept;
  [[nodiscard]] Reading read() const;
  /// A packet that waits to be taken, and its place in the order of all packets.
  struct Seen {
    std::int64_t number;
    PacketMeta meta;
    std::uint64_t tick;
    std::shared_ptr<const void> payload;
  };
  /// Copies the `most` oldest packets that wait, without their credit. The consumer is held up for
  /// as long as that takes, the producer never. Throws `Errc::kEnvironment` where the system lacks
  /// what that needs.
  [[nodiscard]] std::vector<Seen> look(std::int64_t most = kAll);
  static constexpr std::int64_t kAll = std::int64_t{1} << 40;
  /// Changes the credit while producer and consumer stand still; packets beyond a smaller one stay.
  void set_credit(int credit);

 private:
  /// Keeps what one thread writes all the time away from what others do.
  static constexpr std::size_t kCacheLine = 64;

  struct Slot {
    std::shared_ptr<const void> payload;
    PacketMeta meta;
    std::uint64_t tick = 0;
  };
  static constexpr std::uint8_t kBursting = 1;  // packets are taken one after the other
  static constexpr std::uint8_t kLookedAt = 2;  // somebody copies packets that wait

  /// Bytes that one side of the edge has counted up, before it counts the packet.
  struct ByteCounts {
    std::atomic<std::int64_t> host{0};
    std::atomic<std::int64_t> device{0};
  };
  struct InFlight {
    std::int64_t packets;
    Bytes host_bytes;
    Bytes device_bytes;
  };

  explicit EdgeState(const Setup& setup);
  ~EdgeState() = default;
  void retire() noexcept;

  [[nodiscard]] std::unique_lock<std::mutex> lock_if_drops() const;
  [[nodiscard]] InFlight in_flight() const noexcept;
  [[nodiscard]] int depth() const noexcept;
  [[nodiscard]] bool fits(int num_packets, Bytes host_bytes, Bytes device_bytes) const noexcept;
  [[nodiscard]] bool fits_largest(int num_packets) const noexcept;
  [[nodiscard]] bool has_slot() noexcept;
  void count_returned(Bytes host_bytes, Bytes device_bytes) noexcept;
  [[nodiscard]] int credit() const noexcept { return credit_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool push_blocking(std::shared_ptr<const void> payload,
                                   const PacketMeta& meta,
                                   std::uint64_t tick);
  [[nodiscard]] bool push_dropping(std::shared_ptr<const void> payload,
                                   const PacketMeta& meta,
                                   std::uint64_t tick);
  void put(std::shared_ptr<const void> payload,
           const PacketMeta& meta,
           std::uint64_t tick) noexcept;
  void update_marks(bool lazy);
  Slot& pop() noexcept;
  [[nodiscard]] std::shared_ptr<const void> drop_oldest();
  [[nodiscard]] std::shared_ptr<Wakeable> producer_to_wake();
  [[nodiscard]] std::shared_ptr<Wakeable> consumer_to_wake();

  const EdgeOptions options_;
  std::atomic<int> credit_;
  const Bytes packet_host_bytes_;
  const Bytes packet_device_bytes_;
  std::vector<Slot> ring_;
  std::atomic<bool> abandoned_{false};
  std::atomic<bool> closed_{false};

  // Written by the producer.
  alignas(kCacheLine) WatchedCount pushed_;  // watched while the consumer sleeps or has gone
  ByteCounts pushed_bytes_;
  std::size_t tail_;
  std::int64_t returned_seen_ = 0;

  // Written by the consumer, and on edges that drop by the producer as well.
  alignas(kCacheLine) std::atomic<std::int64_t> popped_{0};
  std::size_t head_ = 0;
  std::int64_t pushed_seen_ = 0;
  std::atomic<std::uint8_t> marks_{0};

  // Written by whoever held a packet.
  alignas(kCacheLine) WatchedCount returned_;  // watched while the producer sleeps, or retired
  ByteCounts returned_bytes_;

  alignas(kCacheLine) mutable std::mutex mutex_;  // guards all below, and edges that drop
  int claimed_ = 0;
  int producer_needs_ = 0;  // packets of credit that the producer sleeps for
  int consumer_needs_ = 0;  // packets that the consumer sleeps for
  bool retired_ = false;
  std::int64_t num_refused_ = 0;  // packets that never got onto the ring
  std::int64_t num_dropped_ = 0;
  std::int64_t num_undelivered_ = 0;
  std::shared_ptr<Wakeable> producer_;
  std::shared_ptr<Wakeable> consumer_;
};

}  // namespace askos::dataflow
