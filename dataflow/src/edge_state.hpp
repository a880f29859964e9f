// SPDX-License-Identifier: Apache-2.0
// One edge under way: a small locked ring with its credit, outside whatever runs the stages, so
// that it can be read while a stage is stuck.
//
// Credit is counted from `push` until the packet's lease dies. An edge outlives its session while
// somebody holds a packet of it, and frees itself with the last one.
#pragma once

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

  /// Counts for a status; consistent in itself.
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
  [[nodiscard]] int num_free() const;
  /// Returns false if `needed` packets fit; else the producer is woken once when they do.
  [[nodiscard]] bool wait_for_credit(int needed);
  /// Puts a packet on the edge, by policy. Returns false if it is full and the policy is `kFail`.
  [[nodiscard]] bool push(std::shared_ptr<const void> payload, const PacketMeta& meta);
  /// Says that nothing more will come.
  void close();
  /// True once the consumer has gone; packets are then dropped.
  [[nodiscard]] bool abandoned() const noexcept {
    return abandoned_.load(std::memory_order_relaxed);
  }

  // --- consumer; one thread at a time ---

  [[nodiscard]] Supply supply() const;
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

 private:
  struct Slot {
    std::shared_ptr<const void> payload;
    PacketMeta meta;
  };

  explicit EdgeState(const Setup& setup);
  ~EdgeState() = default;
  void retire() noexcept;

  [[nodiscard]] bool fits(int num_packets, Bytes host_bytes, Bytes device_bytes) const noexcept;
  [[nodiscard]] bool fits_largest(int num_packets) const noexcept;
  [[nodiscard]] std::shared_ptr<const void> drop_oldest();
  [[nodiscard]] std::shared_ptr<Wakeable> producer_to_wake();
  [[nodiscard]] std::shared_ptr<Wakeable> consumer_to_wake();

  const EdgeOptions options_;
  const Bytes packet_host_bytes_;
  const Bytes packet_device_bytes_;
  std::atomic<bool> abandoned_{false};

  mutable std::mutex mutex_;  // guards all below
  std::vector<Slot> ring_;
  std::size_t head_ = 0;
  int depth_ = 0;
  int claimed_ = 0;
  int in_flight_ = 0;
  Bytes host_bytes_;
  Bytes device_bytes_;
  int producer_needs_ = 0;  // packets of credit that the producer sleeps for
  int consumer_needs_ = 0;  // packets that the consumer sleeps for
  bool bursting_ = false;
  bool closed_ = false;
  bool retired_ = false;
  std::int64_t num_packets_ = 0;
  std::int64_t num_dropped_ = 0;
  std::int64_t num_undelivered_ = 0;
  std::shared_ptr<Wakeable> producer_;
  std::shared_ptr<Wakeable> consumer_;
};

}  // namespace askos::dataflow
