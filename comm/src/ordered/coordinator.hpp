// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "entered_calls.hpp"
#include "ordered/order.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace askos::comm {

/// Decides, on rank 0, in which order all ranks run their collectives: each one when the last rank
/// of its group has entered it. So ranks that enter the collectives of several groups in different
/// orders do not wait for each other in a circle, and ranks that enter different collectives in one
/// group are told so before a byte moves. No input or output, no clock: one thread.
class Coordinator {
 public:
  explicit Coordinator(int num_ranks);

  /// Takes in what `rank` announced at time `now`. Returns what all ranks are to do next.
  [[nodiscard]] std::vector<Order> take(int rank, Announcement announcement, Nanoseconds now);

  /// Fails the groups in which ranks are missing for longer than they may at time `now`.
  [[nodiscard]] std::vector<Order> expire(Nanoseconds now);

  /// When `expire` has something to do at the earliest, if anybody is waited for.
  [[nodiscard]] std::optional<Nanoseconds> next_expiry() const;

 private:
  struct Open {
    EnteredCalls entered;
    Nanoseconds deadline{};
    Nanoseconds expires{};
  };
  struct Group {
    std::string name;
    std::vector<int> members;  // ranks of the run, by rank of the group
    std::deque<Open> open;     // some rank is missing; by sequence
    std::int64_t first_open = 0;
    std::vector<GroupId> children;  // may have been dropped since
    std::size_t num_dropped = 0;
    bool has_failed = false;
  };

  void enter(int rank, Announcement announcement, Nanoseconds now, std::vector<Order>& orders);
  void start(GroupId id, std::vector<Order>& orders);
  void fail(GroupId id, const Error& error, std::vector<Order>& orders);
  void drop(GroupId id, std::vector<Order>& orders);
  void mark_failed(GroupId id);

  std::map<GroupId, Group> groups_;
  GroupId next_group_ = 1;
  int num_ranks_;
  int num_left_ = 0;
};

}  // namespace askos::comm
