// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ordered/order.hpp"

#include <askos/base/clock.hpp>
#include <askos/comm/rendezvous.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace askos::comm {

/// What ranks leave for each other to agree on an order: announcements to rank 0, numbered as they
/// come; orders of rank 0 to all, numbered as they are given; and from each rank a sign of life
/// with the number of orders that it has followed. All throw what the rendezvous does.
class Control {
 public:
  explicit Control(std::shared_ptr<Rendezvous> rendezvous) noexcept
      : rendezvous_(std::move(rendezvous)) {}

  [[nodiscard]] Rendezvous& rendezvous() const noexcept { return *rendezvous_; }
  [[nodiscard]] int rank() const noexcept { return rendezvous_->rank(); }
  [[nodiscard]] int size() const noexcept { return rendezvous_->size(); }

  /// Tells rank 0. One thread.
  void announce(const std::vector<Announcement>& announcements);
  /// Waits for what any rank announces next, on rank 0. One thread.
  [[nodiscard]] std::optional<Announcements> next_announcements(Nanoseconds timeout);

  /// Tells all ranks, on rank 0. One thread.
  void give(const std::vector<Order>& orders);
  /// Waits for the next orders and counts them as followed when asked for more. One thread.
  [[nodiscard]] std::optional<std::vector<Order>> next_orders(Nanoseconds timeout);
  /// Number of times that rank 0 gave orders. The thread that gives.
  [[nodiscard]] std::int64_t num_given() const noexcept { return num_given_; }

  struct Beat {
    std::int64_t count = 0;      ///< how often the rank has shown itself
    std::int64_t num_taken = 0;  ///< orders that it has taken
  };
  /// Shows that this rank lives. One thread.
  void beat();
  /// Returns the last sign of another rank. Any thread.
  [[nodiscard]] Beat beat_of(int rank);
  /// Forgets orders that all ranks have taken, on rank 0. The thread that gives.
  void forget(std::int64_t num_taken_by_all);

 private:
  std::shared_ptr<Rendezvous> rendezvous_;
  std::int64_t num_heard_ = 0;
  std::int64_t num_given_ = 0;
  std::int64_t num_forgotten_ = 0;
  std::int64_t num_beats_ = 0;
  std::atomic<std::int64_t> num_taken_{0};
};

}  // namespace askos::comm
