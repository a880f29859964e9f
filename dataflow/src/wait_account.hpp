// SPDX-License-Identifier: Apache-2.0
// Splits a stage's time in `wait.input` over its input ports and that in `wait.credit` over its
// edges. The port or edge that a wait ends with gets all of it: the last to arrive is to blame.
#pragma once

#include <askos/telemetry/ledger.hpp>

#include <atomic>
#include <cstdint>
#include <vector>

namespace askos::dataflow {

/// One thread at a time writes, any thread reads.
class WaitAccount {
 public:
  WaitAccount(telemetry::State state, std::size_t num_places)
      : state_(state), settled_by_place_(num_places) {}

  /// The stage now waits for `place`.
  void wait_for(std::size_t place) noexcept { place_.store(place, std::memory_order_relaxed); }

  /// Books what `ledger` has closed since the last call on the place last waited for; returns it.
  Nanoseconds settle(const telemetry::Ledger& ledger) noexcept {
    const auto closed = ledger.closed(state_);
    const auto waited = closed - settled_;
    if (waited.count() > 0) {
      settled_ = closed;
      settled_by_place_[place()].fetch_add(waited.count(), std::memory_order_relaxed);
    }
    return waited;
  }

  [[nodiscard]] telemetry::State state() const noexcept { return state_; }
  [[nodiscard]] std::size_t place() const noexcept {
    return place_.load(std::memory_order_relaxed);
  }

  /// Returns nanoseconds by place, with what `reading` has beyond them on the current place.
  [[nodiscard]] std::vector<std::int64_t> read(const telemetry::LedgerReading& reading) const {
    std::vector<std::int64_t> times;
    std::int64_t open = reading.in(state_).count();
    for (const auto& time : settled_by_place_) {
      times.push_back(time.load(std::memory_order_relaxed));
      open -= times.back();
    }
    if (!times.empty() && open > 0) times[place()] += open;
    return times;
  }

 private:
  telemetry::State state_;
  Nanoseconds settled_{};
  std::atomic<std::size_t> place_{0};
  std::vector<std::atomic<std::int64_t>> settled_by_place_;
};

}  // namespace askos::dataflow
