// SPDX-License-Identifier: Apache-2.0
#include "ordered/ordered_group.hpp"

#include "ordered/ordered_run.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace askos::comm {
namespace {

/// How long a wait looks before it naps between looks: about as long as ranks take to agree.
constexpr Nanoseconds kSpin = std::chrono::microseconds(500);
constexpr Nanoseconds kNap = std::chrono::microseconds(20);

/// Rank 0 names who is missing at the deadline; its word is given this long to arrive.
constexpr Nanoseconds kGrace = std::chrono::seconds(3);

}  // namespace

OrderedGroup::OrderedGroup(OrderedRun& run, Membership membership, std::unique_ptr<Link> link)
    : run_(run), membership_(std::move(membership)), link_(std::move(link)) {}

OrderedGroup::~OrderedGroup() {
  if (failure_ != nullptr) {
    give_up();
  }
}

std::shared_ptr<OrderedCollective> OrderedGroup::enter(Call call, Stream stream) {
  auto after = run_.mark(stream);
  std::shared_ptr<OrderedCollective> collective;
  {
    const std::lock_guard lock(mutex_);
    collective =
        std::make_shared<OrderedCollective>(num_entered_++, std::move(call), std::move(after));
    if (failure_ != nullptr) {
      collective->fail();
      return collective;
    }
    entered_.push_back(collective);
  }
  run_.announce({.kind = Announcement::Kind::kEnter,
                 .group = membership_.group,
                 .sequence = collective->sequence(),
                 .deadline = membership_.deadline,
                 .call = collective->call()});
  return collective;
}

void OrderedGroup::start(const Order& order) {
  std::shared_ptr<OrderedCollective> collective;
  {
    const std::lock_guard lock(mutex_);
    if (failure_ != nullptr) {
      return;
    }
    ASKOS_CHECK(!entered_.empty() && entered_.front()->sequence() == order.sequence);
    collective = entered_.front();
  }
  // Without the lock: the device may take its time, and a failure must be able to end that.
  std::shared_ptr<Transfer> transfer;
  std::shared_ptr<OrderedGroup> made;
  if (collective->call().kind == CallKind::kSplit) {
    made = make_child(order, *collective);
  } else {
    transfer = link_->start(collective->call(), collective->after());
  }
  const std::lock_guard lock(mutex_);
  if (failure_ != nullptr) {
    return;
  }
  if (made) {
    children_.emplace_back(made);
  }
  entered_.pop_front();
  collective->start(std::move(transfer), std::move(made));
  started_.push_back(std::move(collective));
  forget_done();
}

std::shared_ptr<OrderedGroup> OrderedGroup::make_child(const Order& order,
                                                       const OrderedCollective& collective) {
  for (const auto& child : children_of(order.colors, order.first_child)) {
    const auto own = std::ranges::find(child.members, membership_.rank);
    if (own == child.members.end()) {
      continue;
    }
    auto link = link_->split(child.members);
    return run_.add({.group = child.group,
                     .name = collective.call().name,
                     .rank = static_cast<int>(own - child.members.begin()),
                     .size = static_cast<int>(child.members.size()),
                     .deadline = deadline_of_child_},
                    std::move(link));
  }
  throw Error(Errc::kInternal, "a split left this rank out").with("group", membership_.name);
}

void OrderedGroup::forget_done() {
  std::erase_if(started_, [](const auto& each) { return each->is_over(); });
}

template <typename Condition>
void OrderedGroup::wait_until(const OrderedCollective& collective, Condition is_met) {
  using State = OrderedCollective::State;
  const Clock& clock = steady_clock();
  const auto start = clock.now();
  const auto seconds = std::chrono::duration<double>(membership_.deadline).count();
  for (auto until = start + membership_.deadline + kGrace; !is_met();) {
    const auto now = clock.now();
    if (now >= until) {
      until = now + membership_.deadline + kGrace;
      const bool started = collective.state() == State::kStarted;
      fail_everywhere(Error(Errc::kRankLost, started ? "a collective did not end in time"
                                                     : "rank 0 did not start a collective in time")
                          .with("collective", describe(collective.call()))
                          .with("sequence", collective.sequence())
                          .with("group", membership_.name)
                          .with("seconds", seconds));
    } else if (now - start < kSpin) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kNap);
    }
  }
}

void OrderedGroup::wait(const OrderedCollective& collective) {
  wait_until(collective, [&] { return collective.is_over(); });
  if (collective.state() == OrderedCollective::State::kFailed) {
    throw_failure(collective);
  }
}

void OrderedGroup::wait_on(const OrderedCollective& collective, Stream stream) {
  using State = OrderedCollective::State;
  wait_until(collective, [&] { return collective.state() != State::kEntered; });
  if (collective.state() == State::kFailed) {
    throw_failure(collective);
  }
  if (collective.transfer() != nullptr) {
    collective.transfer()->hold_back(stream);
  }
}

void OrderedGroup::throw_failure(const OrderedCollective& collective) {
  const std::lock_guard lock(mutex_);
  throw with_collective(*failure_, membership_.name, collective.call(), collective.sequence());
}

std::shared_ptr<OrderedGroup> OrderedGroup::split(int color,
                                                  const std::string& name,
                                                  Nanoseconds deadline) {
  {
    const std::lock_guard lock(mutex_);
    deadline_of_child_ = deadline;
  }
  const auto collective = enter({.kind = CallKind::kSplit, .color = color, .name = name}, {});
  wait(*collective);
  return collective->made();
}

void OrderedGroup::fail_everywhere(const Error& error) noexcept {
  run_.fail(membership_.group, error);
}

void OrderedGroup::collect(std::vector<std::shared_ptr<OrderedGroup>>& groups) {
  groups.push_back(shared_from_this());
  std::vector<std::weak_ptr<OrderedGroup>> children;
  {
    const std::lock_guard lock(mutex_);
    children = children_;
  }
  for (const auto& child : children) {
    if (const auto group = child.lock()) {
      group->collect(groups);
    }
  }
}

void OrderedGroup::begin_failure(const Error& error) noexcept {
  const std::lock_guard lock(mutex_);
  if (failure_ != nullptr) {
    return;
  }
  failure_ = std::make_unique<const Error>(error);
  try {
    forget_done();  // what has arrived is complete, not given up
  } catch (...) {   // the device is out of order: nothing has arrived
  }
}

void OrderedGroup::cut() noexcept {
  bool under_way = false;
  {
    const std::lock_guard lock(mutex_);
    under_way = !entered_.empty() || !started_.empty();
  }
  if (under_way) {
    link_->cut();
  }
}

void OrderedGroup::give_up() noexcept {
  link_->cut();
}

void OrderedGroup::finish_failure() noexcept {
  const std::lock_guard lock(mutex_);
  for (auto* const list : {&entered_, &started_}) {
    for (const auto& collective : *list) {
      collective->fail();
    }
    list->clear();
  }
}

bool OrderedGroup::is_idle() {
  const std::lock_guard lock(mutex_);
  forget_done();
  return entered_.empty() && started_.empty();
}

std::optional<Error> OrderedGroup::fault() {
  {
    const std::lock_guard lock(mutex_);
    if (failure_ != nullptr) {
      return std::nullopt;
    }
    forget_done();
    if (started_.empty()) {
      return std::nullopt;
    }
  }
  return link_->fault();
}

}  // namespace askos::comm
