// SPDX-License-Identifier: Apache-2.0
#include "ordered/order.hpp"

#include "packing.hpp"

#include <map>
#include <utility>

namespace askos::comm {
namespace {

template <typename Kind>
std::int64_t code(Kind kind) noexcept {
  return static_cast<std::int64_t>(kind);
}

void put(Packer& to, const Call& call) {
  to.put(code(call.kind)).put(code(call.op)).put(call.root).put(call.color);
  to.put(code(call.receive.dtype)).put(call.receive.count);
  to.put(call.counts).put(call.receive_counts).put(call.name);
}

Call take_call(Unpacker& from) {
  Call call;
  call.kind = CallKind(from.number());
  call.op = ReduceOp(from.number());
  call.root = from.integer();
  call.color = from.integer();
  call.receive.dtype = DType(from.number());
  call.receive.count = from.number();
  call.counts = from.numbers();
  call.receive_counts = from.numbers();
  call.name = from.text();
  return call;
}

void put(Packer& to, const std::optional<Error>& error) {
  to.put(error ? 1 : 0);
  if (error) {
    to.put(*error);
  }
}

std::optional<Error> take_error(Unpacker& from) {
  return from.number() != 0 ? std::optional(from.error()) : std::nullopt;
}

}  // namespace

std::string to_bytes(const Announcements& announcements) {
  Packer to;
  to.put(announcements.rank).put(static_cast<std::int64_t>(announcements.all.size()));
  for (const auto& each : announcements.all) {
    to.put(code(each.kind)).put(each.group).put(each.sequence).put(each.deadline.count());
    put(to, each.call);
    put(to, each.error);
  }
  return to.take();
}

Announcements to_announcements(std::string_view bytes) {
  Unpacker from(bytes);
  Announcements announcements{.rank = from.integer(), .all = {}};
  for (auto left = from.number(); left > 0; --left) {
    auto& each = announcements.all.emplace_back();
    each.kind = Announcement::Kind(from.number());
    each.group = from.number();
    each.sequence = from.number();
    each.deadline = Nanoseconds(from.number());
    each.call = take_call(from);
    each.error = take_error(from);
  }
  return announcements;
}

std::string to_bytes(const std::vector<Order>& orders) {
  Packer to;
  to.put(static_cast<std::int64_t>(orders.size()));
  for (const auto& each : orders) {
    to.put(code(each.kind)).put(each.group).put(each.sequence);
    to.put(each.colors).put(each.first_child);
    put(to, each.error);
  }
  return to.take();
}

std::vector<Order> to_orders(std::string_view bytes) {
  Unpacker from(bytes);
  std::vector<Order> orders;
  for (auto left = from.number(); left > 0; --left) {
    auto& each = orders.emplace_back();
    each.kind = Order::Kind(from.number());
    each.group = from.number();
    each.sequence = from.number();
    each.colors = from.numbers();
    each.first_child = from.number();
    each.error = take_error(from);
  }
  return orders;
}

std::vector<Child> children_of(const std::vector<std::int64_t>& colors, GroupId first_child) {
  std::map<std::int64_t, std::vector<int>> members;  // by color
  for (std::size_t rank = 0; rank < colors.size(); ++rank) {
    members[colors[rank]].push_back(static_cast<int>(rank));
  }
  std::vector<Child> children;
  for (auto& [color, ranks] : members) {
    children.push_back(
        {.group = first_child + static_cast<GroupId>(children.size()), .members = ranks});
  }
  return children;
}

}  // namespace askos::comm
