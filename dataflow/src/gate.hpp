// SPDX-License-Identifier: Apache-2.0
// Where a debugger stops a stage: between two of its turns (its start, each run, its finish).
//
// A gate lets a stage begin turns up to a limit. While nobody holds it, a turn costs one
// comparison. Every order given to a gate has a number, and a stage that stands at it answers with
// the number of the order that it obeys: so nobody takes a stage for stopped that had stopped for
// an older order.
//
// A turn in which ranks meet in collectives must not begin unseen: such stages announce it first
// and look at the limit again, in this order for all threads. Whoever has closed the gate then sees
// the announcement, or the stage sees the gate closed (Dekker's argument).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

namespace askos::dataflow {

class Gate {
 public:
  static constexpr std::int64_t kOpen = std::numeric_limits<std::int64_t>::max();

  // --- the stage's thread ---

  /// False as long as the stage need not look at its gate before turn number `turn` (from 0).
  [[nodiscard]] bool wants_attention(std::int64_t turn) const noexcept {
    return turn >= attention_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_closed(std::int64_t turn) const noexcept { return turn >= limit_.load(); }
  [[nodiscard]] std::int64_t order() const noexcept { return order_.load(); }
  /// Says that the stage stands before `turn`, as order number `order` wanted.
  void stand(std::int64_t order, std::int64_t turn) noexcept {
    turn_.store(turn);
    obeyed_.store(order);
  }
  /// Announces a turn with collectives; returns false, and takes it back, if the gate has closed. A
  /// run that was not ready stays announced: it may have entered a collective.
  [[nodiscard]] bool announce(std::int64_t turn) noexcept {
    begun_.store(turn + 1);
    if (!is_closed(turn)) return true;
    begun_.store(turn);
    return false;
  }

  // --- whoever holds the graph; one thread at a time ---

  /// Lets turns up to number `limit` (excluded) begin.
  void set_limit(std::int64_t limit) noexcept {
    limit_.store(limit);
    update_attention();
    order_.fetch_add(1);
  }
  /// Makes the stage look at what comes to it before each turn.
  void set_probing(bool probing) noexcept {
    probing_ = probing;
    update_attention();
  }
  [[nodiscard]] std::int64_t limit() const noexcept { return limit_.load(); }
  /// True if the stage stands at the gate as the last order wants.
  [[nodiscard]] bool is_obeyed() const noexcept { return obeyed_.load() == order_.load(); }
  /// Turns done when the stage came to stand.
  [[nodiscard]] std::int64_t turn() const noexcept { return turn_.load(); }
  /// Turns announced.
  [[nodiscard]] std::int64_t begun() const noexcept { return begun_.load(); }

 private:
  void update_attention() noexcept { attention_.store(probing_ ? 0 : limit_.load()); }

  std::atomic<std::int64_t> attention_{kOpen};
  std::atomic<std::int64_t> limit_{kOpen};
  std::atomic<std::int64_t> order_{0};
  std::atomic<std::int64_t> obeyed_{-1};
  std::atomic<std::int64_t> turn_{0};
  std::atomic<std::int64_t> begun_{0};
  bool probing_ = false;  // of whoever holds the graph
};

}  // namespace askos::dataflow
