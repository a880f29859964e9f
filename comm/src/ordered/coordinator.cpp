// SPDX-License-Identifier: Apache-2.0
#include "ordered/coordinator.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <utility>

namespace askos::comm {

Coordinator::Coordinator(int num_ranks) : num_ranks_(num_ranks) {
  auto& world = groups_[0];
  world.name = "ranks";
  world.members.resize(static_cast<std::size_t>(num_ranks));
  std::iota(world.members.begin(), world.members.end(), 0);
}

std::vector<Order> Coordinator::take(int rank, Announcement announcement, Nanoseconds now) {
  std::vector<Order> orders;
  switch (announcement.kind) {
    case Announcement::Kind::kEnter: enter(rank, std::move(announcement), now, orders); break;
    case Announcement::Kind::kFail:
      fail(announcement.group,
           announcement.error.value_or(Error(Errc::kInternal, "a failure without a reason")),
           orders);
      break;
    case Announcement::Kind::kDrop: drop(announcement.group, orders); break;
    case Announcement::Kind::kLeave:
      if (++num_left_ == num_ranks_) {
        orders.push_back({.kind = Order::Kind::kEnd});
      }
      break;
  }
  return orders;
}

void Coordinator::enter(int rank,
                        Announcement announcement,
                        Nanoseconds now,
                        std::vector<Order>& orders) {
  const auto found = groups_.find(announcement.group);
  if (found == groups_.end() || found->second.has_failed) {
    return;  // the rank will be told, or was
  }
  Group& group = found->second;
  const auto member = std::ranges::find(group.members, rank);
  ASKOS_CHECK(member != group.members.end());
  const auto index = static_cast<std::size_t>(announcement.sequence - group.first_open);
  ASKOS_CHECK(index <= group.open.size());
  if (index == group.open.size()) {
    group.open.push_back(
        {.entered = EnteredCalls(announcement.sequence, static_cast<int>(group.members.size())),
         .deadline = announcement.deadline,
         .expires = now + announcement.deadline});
  }
  auto error = group.open[index].entered.enter(static_cast<int>(member - group.members.begin()),
                                               std::move(announcement.call));
  if (error) {
    fail(announcement.group, error->with("group", group.name), orders);
  } else if (group.open[index].entered.is_complete()) {
    ASKOS_CHECK(index == 0);  // each rank enters in order, so collectives are completed in order
    start(announcement.group, orders);
  }
}

void Coordinator::start(GroupId id, std::vector<Order>& orders) {
  Group& group = groups_.at(id);
  const EnteredCalls entered = std::move(group.open.front().entered);
  group.open.pop_front();
  ++group.first_open;
  Order order{.kind = Order::Kind::kStart, .group = id, .sequence = entered.sequence()};
  if (entered.first().kind == CallKind::kSplit) {
    for (const auto& call : entered.all()) {
      order.colors.push_back(call.color);
    }
    order.first_child = next_group_;
    for (const auto& child : children_of(order.colors, next_group_)) {
      Group made;
      made.name = entered.all()[static_cast<std::size_t>(child.members.front())].name;
      for (const int member : child.members) {
        made.members.push_back(group.members[static_cast<std::size_t>(member)]);
      }
      group.children.push_back(child.group);
      groups_.emplace(child.group, std::move(made));
      next_group_ = child.group + 1;
    }
  }
  orders.push_back(std::move(order));
}

std::vector<Order> Coordinator::expire(Nanoseconds now) {
  std::vector<Order> orders;
  for (auto& [id, group] : groups_) {
    const auto late = std::ranges::find_if(
        group.open, [&](const Open& open) { return !group.has_failed && open.expires <= now; });
    if (late == group.open.end()) {
      continue;
    }
    std::ostringstream missing;
    const char* separator = "";
    for (const int rank : late->entered.missing()) {
      missing << std::exchange(separator, ",") << rank;
    }
    fail(id,
         Error(Errc::kRankLost, "ranks did not enter a collective in time")
             .with("collective", describe(late->entered.first()))
             .with("sequence", late->entered.sequence())
             .with("missing", missing.str())
             .with("group", group.name)
             .with("seconds", std::chrono::duration<double>(late->deadline).count()),
         orders);
  }
  return orders;
}

std::optional<Nanoseconds> Coordinator::next_expiry() const {
  std::optional<Nanoseconds> next;
  for (const auto& [id, group] : groups_) {
    for (const auto& open : group.open) {
      next = std::min(next.value_or(open.expires), open.expires);
    }
  }
  return next;
}

void Coordinator::fail(GroupId id, const Error& error, std::vector<Order>& orders) {
  const auto found = groups_.find(id == kWholeRun ? 0 : id);
  if (found == groups_.end() || found->second.has_failed) {
    return;
  }
  mark_failed(found->first);
  orders.push_back({.kind = Order::Kind::kFail, .group = id, .error = error});
}

void Coordinator::mark_failed(GroupId id) {
  const auto found = groups_.find(id);
  if (found == groups_.end()) {
    return;
  }
  found->second.has_failed = true;
  found->second.open.clear();
  for (const GroupId child : found->second.children) {
    mark_failed(child);
  }
}

void Coordinator::drop(GroupId id, std::vector<Order>& orders) {
  Group& group = groups_.at(id);
  if (++group.num_dropped == group.members.size()) {
    groups_.erase(id);
    orders.push_back({.kind = Order::Kind::kDrop, .group = id});
  }
}

}  // namespace askos::comm
