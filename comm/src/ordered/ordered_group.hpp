// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ordered/order.hpp"
#include "ordered/ordered_collective.hpp"

#include <askos/base/clock.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace askos::comm {

class OrderedRun;

/// A group as this rank belongs to it.
struct Membership {
  GroupId group = 0;
  std::string name;
  int rank = 0;
  int size = 1;
  Nanoseconds deadline{};
};

/// This rank's part in one communicator: what it has entered, what is under way, and the failure
/// that ended it. Any thread, except that its collectives are entered by one, and `start` and the
/// destruction of the link are the run's moving thread's.
class OrderedGroup : public std::enable_shared_from_this<OrderedGroup> {
 public:
  OrderedGroup(OrderedRun& run, Membership membership, std::unique_ptr<Link> link);
  ~OrderedGroup();
  OrderedGroup(const OrderedGroup&) = delete;
  OrderedGroup& operator=(const OrderedGroup&) = delete;

  [[nodiscard]] const Membership& membership() const noexcept { return membership_; }

  [[nodiscard]] std::shared_ptr<OrderedCollective> enter(Call call, Stream stream);
  /// Blocks until `collective` is over. Throws the group's failure if that is why.
  void wait(const OrderedCollective& collective);
  /// Holds `stream` back until `collective` is over; blocks until it has started.
  void wait_on(const OrderedCollective& collective, Stream stream);
  /// Makes the group of those that gave the same color, with a deadline of its own; blocks.
  [[nodiscard]] std::shared_ptr<OrderedGroup> split(int color,
                                                    const std::string& name,
                                                    Nanoseconds deadline);
  /// Fails this group and those split from it, here and on its other ranks.
  void fail_everywhere(const Error& error) noexcept;

  /// Does what an order to start says.
  void start(const Order& order);
  /// Adds this group and those split from it to `groups`.
  void collect(std::vector<std::shared_ptr<OrderedGroup>>& groups);
  /// The steps of a failure in this process: nothing can be entered any more; what is under way
  /// ends, if there is something; its waits throw. The first failure stays.
  void begin_failure(const Error& error) noexcept;
  void cut() noexcept;
  void finish_failure() noexcept;
  /// Ends the link after a failure, also if nothing is under way: the others may never take their
  /// ends down.
  void give_up() noexcept;

  /// Tells whether nothing is under way.
  [[nodiscard]] bool is_idle();
  /// Returns what went wrong with a collective under way, if something did.
  [[nodiscard]] std::optional<Error> fault();

 private:
  [[nodiscard]] std::shared_ptr<OrderedGroup> make_child(const Order& order,
                                                         const OrderedCollective& collective);
  template <typename Condition>
  void wait_until(const OrderedCollective& collective, Condition is_met);
  [[noreturn]] void throw_failure(const OrderedCollective& collective);
  void forget_done();

  OrderedRun& run_;
  const Membership membership_;
  const std::unique_ptr<Link> link_;

  std::mutex mutex_;
  std::int64_t num_entered_ = 0;
  std::deque<std::shared_ptr<OrderedCollective>> entered_;  // not started yet, by sequence
  std::deque<std::shared_ptr<OrderedCollective>> started_;  // not seen done yet
  std::unique_ptr<const Error> failure_;                    // set once, before any state is kFailed
  std::vector<std::weak_ptr<OrderedGroup>> children_;
  Nanoseconds deadline_of_child_{};
};

}  // namespace askos::comm
