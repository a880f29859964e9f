// SPDX-License-Identifier: Apache-2.0
#include "ordered/control.hpp"

#include "packing.hpp"

namespace askos::comm {
namespace {

constexpr const char* kNumAnnounced = "order/announced";

std::string numbered(const char* what, std::int64_t number) {
  return what + std::to_string(number);
}

}  // namespace

void Control::announce(const std::vector<Announcement>& announcements) {
  const auto bytes = to_bytes({.rank = rank(), .all = announcements});
  const auto number = rendezvous_->add(kNumAnnounced, 1);
  rendezvous_->put(numbered("order/announced/", number), bytes);
}

std::optional<Announcements> Control::next_announcements(Nanoseconds timeout) {
  const auto key = numbered("order/announced/", num_heard_ + 1);
  const auto bytes = rendezvous_->get(key, timeout);
  if (!bytes) {
    return std::nullopt;
  }
  ++num_heard_;
  rendezvous_->erase(key);
  return to_announcements(*bytes);
}

void Control::give(const std::vector<Order>& orders) {
  rendezvous_->put(numbered("order/given/", ++num_given_), to_bytes(orders));
}

std::optional<std::vector<Order>> Control::next_orders(Nanoseconds timeout) {
  const auto next = num_taken_.load(std::memory_order_relaxed) + 1;
  const auto bytes = rendezvous_->get(numbered("order/given/", next), timeout);
  if (!bytes) {
    return std::nullopt;
  }
  num_taken_.store(next, std::memory_order_relaxed);
  return to_orders(*bytes);
}

void Control::beat() {
  rendezvous_->put(
      numbered("order/beat/", rank()),
      Packer().put(++num_beats_).put(num_taken_.load(std::memory_order_relaxed)).take());
}

Control::Beat Control::beat_of(int rank) {
  const auto bytes = rendezvous_->get(numbered("order/beat/", rank), Nanoseconds::zero());
  if (!bytes) {
    return {};
  }
  Unpacker from(*bytes);
  const auto count = from.number();
  return {.count = count, .num_taken = from.number()};
}

void Control::forget(std::int64_t num_taken_by_all) {
  while (num_forgotten_ < num_taken_by_all) {
    rendezvous_->erase(numbered("order/given/", ++num_forgotten_));
  }
}

}  // namespace askos::comm
