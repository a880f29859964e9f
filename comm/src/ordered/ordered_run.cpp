// SPDX-License-Identifier: Apache-2.0
#include "ordered/ordered_run.hpp"

#include <pthread.h>

#include <cstring>
#include <utility>

namespace askos::comm {
namespace {

/// Processes may come from reading different files.
constexpr Nanoseconds kStartDeadline = std::chrono::minutes(2);
constexpr Nanoseconds kLook = std::chrono::milliseconds(20);
constexpr Nanoseconds kSlowestBeat = std::chrono::milliseconds(400);
/// Threads that wait for a word of another rank look this often whether to stop.
constexpr Nanoseconds kTurn = std::chrono::milliseconds(100);
/// What broke a connection, most often the end of a process, shows within this time.
constexpr Nanoseconds kDoubt = std::chrono::milliseconds(500);

/// Calls `step` of all groups at once: what one waits for may be queued behind what another does,
/// and NCCL takes a second or two to end one.
void at_once(const std::vector<std::shared_ptr<OrderedGroup>>& groups,
             void (OrderedGroup::*step)() noexcept) {
  std::vector<std::thread> threads;
  threads.reserve(groups.size());
  for (const auto& group : groups) {
    threads.emplace_back([&group, step] { ((*group).*step)(); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
}

std::string to_bytes(const PeerPlace& place) {
  return {reinterpret_cast<const char*>(&place), sizeof place};
}

std::vector<PeerPlace> places_of_all(Rendezvous& rendezvous) {
  std::vector<PeerPlace> places;
  for (const auto& bytes :
       exchange(rendezvous, "order/place", to_bytes(own_place()), kStartDeadline)) {
    ASKOS_CHECK(bytes.size() == sizeof(PeerPlace));
    std::memcpy(&places.emplace_back(), bytes.data(), sizeof(PeerPlace));
  }
  return places;
}

}  // namespace

OrderedRun::OrderedRun(std::shared_ptr<Rendezvous> rendezvous,
                       std::unique_ptr<Mover> mover,
                       Nanoseconds heartbeat)
    : control_(std::move(rendezvous)),
      mover_(std::move(mover)),
      heartbeat_(heartbeat),
      beats_(static_cast<std::size_t>(size()), 0) {
  const auto places = places_of_all(control_.rendezvous());
  watch_.emplace(places, rank(), steady_clock().now());
  if (rank() == 0) {
    leader_ = std::make_unique<Leader>(control_, [this](const Error& error) { suspect(error); });
  }
  speaker_ = std::thread([this] { speak(); });
  mover_thread_ = std::thread([this] { move(); });
  try {
    wait_for_start();
  } catch (...) {
    stop();
    throw;
  }
}

void OrderedRun::wait_for_start() {
  std::unique_lock lock(mutex_);
  const bool in_time = changed_.wait_for(
      lock, kStartDeadline, [&] { return failure_ != nullptr || groups_.contains(0); });
  if (failure_ != nullptr) {
    throw Error(*failure_);
  }
  if (!in_time) {
    throw Error(Errc::kRankLost, "the ranks could not be connected in time")
        .with("seconds", std::chrono::duration<double>(kStartDeadline).count());
  }
}

OrderedRun::~OrderedRun() {
  {
    std::unique_lock lock(mutex_);
    is_leaving_ = true;
    outbox_.push_back({.kind = Announcement::Kind::kLeave});
    changed_.notify_all();
    changed_.wait(lock, [&] { return has_ended_ || failure_ != nullptr; });
  }
  stop();
}

void OrderedRun::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    give_up_ = !has_ended_;  // else all ranks take their links down together
    stop_ = true;
    changed_.notify_all();
  }
  mover_thread_.join();
  speaker_.join();
  leader_.reset();
}

std::shared_ptr<OrderedGroup> OrderedRun::world() const {
  const std::lock_guard lock(mutex_);
  return groups_.at(0);
}

std::shared_ptr<OrderedGroup> OrderedRun::add(Membership membership, std::unique_ptr<Link> link) {
  const auto id = membership.group;
  auto group = std::make_shared<OrderedGroup>(*this, std::move(membership), std::move(link));
  const std::lock_guard lock(mutex_);
  if (failure_ != nullptr) {
    group->begin_failure(*failure_);
  }
  groups_.emplace(id, group);
  return group;
}

void OrderedRun::announce(Announcement announcement) {
  const std::lock_guard lock(mutex_);
  outbox_.push_back(std::move(announcement));
  changed_.notify_all();
}

void OrderedRun::fail(GroupId group, const Error& error) noexcept {
  try {
    Announcement announcement;
    announcement.kind = Announcement::Kind::kFail;
    announcement.group = group;
    announcement.error = error;
    announce(std::move(announcement));
  } catch (...) {  // the others will see this rank's process end
  }
  fail_here(group, error);
}

std::optional<Error> OrderedRun::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_ == nullptr ? std::nullopt : std::optional(*failure_);
}

void OrderedRun::fail_here(GroupId id, const Error& error) noexcept {
  std::shared_ptr<OrderedGroup> top;
  {
    const std::lock_guard lock(mutex_);
    if (id == kWholeRun && failure_ == nullptr) {
      failure_ = std::make_unique<const Error>(error);
      give_up_ = true;
    }
    if (const auto found = groups_.find(id == kWholeRun ? 0 : id); found != groups_.end()) {
      top = found->second;
    }
    changed_.notify_all();
  }
  if (!top) {
    return;  // a group that this rank is not part of, or none is connected yet
  }
  std::vector<std::shared_ptr<OrderedGroup>> groups;
  top->collect(groups);
  for (const auto& group : groups) {
    group->begin_failure(error);
  }
  at_once(groups, &OrderedGroup::cut);
  for (const auto& group : groups) {
    group->finish_failure();
  }
}

void OrderedRun::suspect(const Error& error) noexcept {
  const std::lock_guard lock(mutex_);
  if (!suspicion_) {
    suspicion_ = error;
    suspected_at_ = steady_clock().now();
  }
}

void OrderedRun::move() {
  ::pthread_setname_np(::pthread_self(), "askos.mover");
  try {
    auto link = mover_->connect(control_.rendezvous(), give_up_);
    (void)add(
        {.group = 0, .name = "ranks", .rank = rank(), .size = size(), .deadline = kStartDeadline},
        std::move(link));
    {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
    }
    while (!stop_ && !has_ended_) {
      if (const auto orders = control_.next_orders(kTurn)) {
        for (const auto& order : *orders) {
          follow(order);
        }
      }
      announce_unused_groups();
    }
  } catch (...) {
    suspect(current_error());
  }
  std::map<GroupId, std::shared_ptr<OrderedGroup>> last;
  std::vector<std::shared_ptr<OrderedGroup>> given_up;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stop_.load(); });  // groups are used until the run ends
    last.swap(groups_);
    for (const auto& [id, group] : last) {
      if (failure_ != nullptr) given_up.push_back(group);
    }
  }
  at_once(given_up, &OrderedGroup::give_up);
  given_up.clear();
  while (!last.empty()) {  // those that were split last first, as on all ranks
    last.erase(std::prev(last.end()));
  }
}

void OrderedRun::follow(const Order& order) {
  switch (order.kind) {
    case Order::Kind::kStart: {
      std::shared_ptr<OrderedGroup> group;
      {
        const std::lock_guard lock(mutex_);
        if (const auto found = groups_.find(order.group); found != groups_.end()) {
          group = found->second;
        }
      }
      if (group) {
        try {
          group->start(order);
        } catch (...) {
          auto error = current_error();
          if (error.code() != Errc::kCancelled) {  // else a failure has ended it that is known
            suspect(error);
          }
        }
      }
      break;
    }
    case Order::Kind::kFail: fail_here(order.group, *order.error); break;
    case Order::Kind::kDrop: {
      std::shared_ptr<OrderedGroup> unused;
      const std::lock_guard lock(mutex_);
      if (const auto found = groups_.find(order.group); found != groups_.end()) {
        unused = std::move(found->second);
        groups_.erase(found);
        dropped_.erase(order.group);
      }
      break;
    }
    case Order::Kind::kEnd: {
      const std::lock_guard lock(mutex_);
      has_ended_ = true;
      changed_.notify_all();
      break;
    }
  }
}

void OrderedRun::announce_unused_groups() {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, group] : groups_) {
    if (id != 0 && group.use_count() == 1 && !dropped_.contains(id) && group->is_idle()) {
      dropped_.insert(id);
      auto& announcement = outbox_.emplace_back();
      announcement.kind = Announcement::Kind::kDrop;
      announcement.group = id;
      changed_.notify_all();
    }
  }
}

void OrderedRun::speak() {
  ::pthread_setname_np(::pthread_self(), "askos.speaker");
  const Clock& clock = steady_clock();
  Nanoseconds looked_at{};
  for (bool last = false; !last;) {
    std::vector<Announcement> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kLook, [&] { return stop_ || !outbox_.empty(); });
      batch.swap(outbox_);
      last = stop_ && batch.empty();
    }
    try {
      if (!batch.empty()) {
        control_.announce(batch);
      }
      if (last) {
        control_.beat();  // with what was taken last, so that the leader may leave
      }
    } catch (...) {
      suspect(current_error());
    }
    if (const auto now = clock.now(); now - looked_at >= kLook) {
      looked_at = now;
      look_after_run(now);
    }
  }
}

void OrderedRun::look_after_run(Nanoseconds now) {
  std::vector<std::shared_ptr<OrderedGroup>> groups;
  {
    const std::lock_guard lock(mutex_);
    if (failure_ != nullptr || has_ended_) {
      return;
    }
    for (const auto& [id, group] : groups_) {
      groups.push_back(group);
    }
  }
  try {
    exchange_beats(now);
    for (const auto& group : groups) {
      if (const auto fault = group->fault()) {
        suspect(*fault);
      }
    }
  } catch (...) {
    suspect(current_error());
  }
  if (const auto lost = watch_->find_lost(now, heartbeat_)) {
    std::unique_lock lock(mutex_);
    missing_since_ = missing_since_.value_or(now);
    if (is_leaving_ && now - *missing_since_ < kDoubt) {
      return;  // it may have left before this rank was told that all have
    }
    lock.unlock();
    fail(kWholeRun, Error(Errc::kRankLost, "a rank was lost")
                        .with("lost", lost->rank)
                        .with("host", watch_->peer(lost->rank).host)
                        .with("pid", watch_->peer(lost->rank).pid)
                        .with("reason", lost->reason));
    return;
  }
  std::unique_lock lock(mutex_);
  if (suspicion_ && now - suspected_at_ >= kDoubt) {
    const Error error = *suspicion_;
    lock.unlock();
    fail(kWholeRun, error);
  }
}

void OrderedRun::exchange_beats(Nanoseconds now) {
  if (now < next_beat_) {
    return;
  }
  const Nanoseconds heartbeat = heartbeat_;
  // Often enough for a shorter heartbeat that another rank may expect already.
  next_beat_ = now + (heartbeat.count() > 0 ? std::min(heartbeat / 5, kSlowestBeat) : kSlowestBeat);
  control_.beat();
  // Rank 0 hears all; the others hear rank 0, which tells them whom it misses.
  for (int other = 0; other < size(); ++other) {
    if (rank() != 0 && other != 0) {
      watch_->heard_from(other, now);
      continue;
    }
    auto& last = beats_[static_cast<std::size_t>(other)];
    if (const auto count = control_.beat_of(other).count; count != last) {
      last = count;
      watch_->heard_from(other, now);
    }
  }
}

}  // namespace askos::comm
