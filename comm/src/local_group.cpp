// SPDX-License-Identifier: Apache-2.0
#include "local_group.hpp"

#include <pthread.h>

#include <map>
#include <sstream>
#include <utility>

namespace askos::comm {
namespace {

/// Up to this many bytes are moved by the last rank to enter: waking another thread takes longer.
/// See docs/decisions/0020-local-collectives.md.
constexpr std::int64_t kInlineBytes = 64 << 10;

/// Locks a mutex that is held for less time than blocking on it takes.
std::unique_lock<std::mutex> lock_soon(std::mutex& mutex) {
  constexpr int kNumTries = 100;
  std::unique_lock lock(mutex, std::try_to_lock);
  for (int i = 0; i < kNumTries && !lock.owns_lock(); ++i) {
    std::this_thread::yield();
    (void)lock.try_lock();
  }
  if (!lock.owns_lock()) {
    lock.lock();
  }
  return lock;
}

}  // namespace

LocalGroup::LocalGroup(int num_ranks, const LocalOptions& options)
    : options_(options),
      num_entered_(static_cast<std::size_t>(num_ranks), 0),
      has_left_(static_cast<std::size_t>(num_ranks), false) {
  if (num_ranks > 1) {
    progress_ = std::thread([this] { make_progress(); });
  }
}

LocalGroup::~LocalGroup() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  ready_or_stop_.notify_one();
  if (progress_.joinable()) {
    progress_.join();
  }
}

std::shared_ptr<LocalCollective> LocalGroup::enter(int rank, Call call) {
  std::shared_ptr<LocalCollective> collective;
  {
    const auto lock = lock_soon(mutex_);
    const auto sequence = num_entered_[static_cast<std::size_t>(rank)];
    if (failure_ != nullptr) {
      collective = std::make_shared<LocalCollective>(sequence, size());
      collective->fail();
      return collective;
    }
    collective = open(sequence);
    ++num_entered_[static_cast<std::size_t>(rank)];
    if (auto error = collective->enter(rank, std::move(call))) {
      fail(std::move(*error).with("group", name()));
      return collective;
    }
    if (!collective->is_complete()) {
      fail_if_left(*collective);
      return collective;
    }
    try {
      if (collective->first_call().kind == CallKind::kSplit) {
        split(*collective);
      }
    } catch (...) {  // no thread or memory for another group
      fail(current_error());
      return collective;
    }
    close(sequence);
  }
  move(collective);
  return collective;
}

void LocalGroup::move(const std::shared_ptr<LocalCollective>& collective) {
  if (size() == 1 || collective->moved_bytes() <= kInlineBytes) {
    collective->run();
  } else if (!collective->offer()) {
    {
      const std::lock_guard lock(mutex_);
      ready_.push_back(collective);
    }
    ready_or_stop_.notify_one();
  }
}

void LocalGroup::make_progress() {
  ::pthread_setname_np(::pthread_self(), "askos.comm");
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_or_stop_.wait(lock, [this] { return stop_ || !ready_.empty(); });
    if (ready_.empty()) {
      return;
    }
    const auto collective = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    collective->help();
    lock.lock();
  }
}

void LocalGroup::wait(LocalCollective& collective) {
  while (!collective.wait(options_.deadline)) {
    expire(collective);
  }
  if (collective.has_failed()) {
    throw Error(*failure_);
  }
}

void LocalGroup::expire(LocalCollective& collective) {
  const std::lock_guard lock(mutex_);
  if (!collective.is_complete()) {
    const std::chrono::duration<double> seconds = options_.deadline;
    fail(lost("ranks did not enter a collective in time", collective)
             .with("seconds", seconds.count()));
  }
}

void LocalGroup::leave(int rank) noexcept {
  const std::lock_guard lock(mutex_);
  has_left_[static_cast<std::size_t>(rank)] = true;
  const auto open = open_;  // a failure empties it
  for (const auto& collective : open) {
    fail_if_left(*collective);
  }
}

void LocalGroup::abort(const std::string& reason) noexcept {
  std::vector<std::weak_ptr<LocalGroup>> children;
  {
    const std::lock_guard lock(mutex_);
    fail(Error(Errc::kCancelled, "collectives were given up")
             .with("reason", reason)
             .with("group", name()));
    children = children_;
  }
  for (const auto& child : children) {
    if (const auto group = child.lock()) {
      group->abort(reason);
    }
  }
}

std::shared_ptr<LocalCollective> LocalGroup::open(std::int64_t sequence) {
  const auto index = static_cast<std::size_t>(sequence - first_open_);
  if (index == open_.size()) {
    open_.push_back(std::make_shared<LocalCollective>(sequence, size()));
  }
  return open_[index];
}

void LocalGroup::close(std::int64_t sequence) noexcept {
  // Each rank enters in order, so collectives are completed in order.
  ASKOS_CHECK(sequence == first_open_);
  open_.pop_front();
  ++first_open_;
}

void LocalGroup::fail(Error error) noexcept {
  if (failure_ != nullptr) {
    return;
  }
  failure_ = std::make_unique<const Error>(std::move(error));
  for (const auto& collective : open_) {
    collective->fail();
  }
  open_.clear();
}

void LocalGroup::fail_if_left(const LocalCollective& collective) noexcept {
  for (const int rank : collective.missing()) {
    if (has_left_[static_cast<std::size_t>(rank)]) {
      return fail(
          lost("a rank left before it entered a collective", collective).with("left", rank));
    }
  }
}

Error LocalGroup::lost(std::string text, const LocalCollective& collective) const {
  std::ostringstream missing;
  const char* separator = "";
  for (const int rank : collective.missing()) {
    missing << std::exchange(separator, ",") << rank;
  }
  return Error(Errc::kRankLost, std::move(text))
      .with("collective", describe(collective.first_call()))
      .with("sequence", collective.sequence())
      .with("missing", missing.str())
      .with("group", name());
}

void LocalGroup::split(LocalCollective& collective) {
  std::map<int, std::vector<int>> members;  // by color
  for (int rank = 0; rank < size(); ++rank) {
    members[collective.calls()[static_cast<std::size_t>(rank)].color].push_back(rank);
  }
  collective.memberships.resize(static_cast<std::size_t>(size()));
  for (const auto& [color, ranks] : members) {
    const auto& name = collective.calls()[static_cast<std::size_t>(ranks.front())].name;
    const auto group = std::make_shared<LocalGroup>(static_cast<int>(ranks.size()),
                                                    LocalOptions{options_.deadline, name});
    children_.emplace_back(group);
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      collective.memberships[static_cast<std::size_t>(ranks[i])] = {group, static_cast<int>(i)};
    }
  }
}

}  // namespace askos::comm
