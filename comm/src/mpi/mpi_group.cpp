// SPDX-License-Identifier: Apache-2.0
#include "mpi/mpi_group.hpp"

#include "mpi/mpi_hub.hpp"

#include <askos/base/log.hpp>
#include <askos/comm/agreement.hpp>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

namespace askos::comm {
namespace {

/// How often a wait looks at once, some 20 us: small messages take less than a call of the system.
constexpr int kBusyLooks = 200;
/// How long a wait looks before it naps, as long as nobody else wants its core.
constexpr Nanoseconds kSpin = std::chrono::milliseconds(1);
/// Somebody else wants the core if it is away for so long; this process's own thread takes less.
constexpr Nanoseconds kCoreIsShared = std::chrono::microseconds(200);
constexpr Nanoseconds kNap = std::chrono::microseconds(20);

constexpr int kNumTagsPerContext = 1 << 15;
constexpr int kNumContexts = 1 << 11;

}  // namespace

MpiGroup::MpiGroup(std::shared_ptr<MpiHub> hub,
                   int context,
                   std::vector<int> processes,
                   int rank,
                   MpiGroupOptions options)
    : hub_(std::move(hub)),
      context_(context),
      processes_(std::move(processes)),
      rank_(rank),
      options_(std::move(options)) {
  if (context_ >= kNumContexts) {
    throw Error(Errc::kEnvironment, "too many communicators were made in one process")
        .with("most", kNumContexts);
  }
}

MpiGroup::~MpiGroup() {
  hub_->remove(context_);
}

std::shared_ptr<MpiCollective> MpiGroup::enter(Call call) {
  std::shared_ptr<MpiCollective> collective;
  {
    const std::lock_guard lock(mutex_);
    const auto sequence = num_entered_++;
    const Wire wire{
        .envelopes = hub_->envelopes(),
        .payload = hub_->payload(),
        .tag = context_ * kNumTagsPerContext + static_cast<int>(sequence % kNumTagsPerContext),
        .processes = processes_,
        .rank = rank_};
    const int free_context = call.kind == CallKind::kSplit ? hub_->free_context() : 0;
    collective = std::make_shared<MpiCollective>(wire, sequence, std::move(call), free_context);
    if (failure_ != nullptr) {
      collective->fail();
      return collective;
    }
    collective->start();
    under_way_.push_back(collective);
    advance(*collective);
  }
  hub_->wake();
  return collective;
}

void MpiGroup::advance(MpiCollective& collective) noexcept {
  std::optional<Error> error;
  try {
    error = collective.advance();
  } catch (...) {
    error = current_error();
  }
  if (error) {
    error->with("group", name());
    fail_locked(*error);
    hub_->tell(processes_, {.context = context_, .error = *error});
  } else if (collective.is_over()) {
    std::erase_if(under_way_, [&](const auto& each) { return each.get() == &collective; });
  }
}

MpiGroup::Activity MpiGroup::advance_all() noexcept {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) {
    return Activity::kAttended;  // by whoever holds it
  }
  auto activity = Activity::kNone;
  for (std::size_t i = 0; i < under_way_.size();) {
    const auto collective = under_way_[i];
    advance(*collective);
    if (collective->is_over()) continue;  // it is no longer among them
    const bool attended = collective->num_waiting.load(std::memory_order_relaxed) > 0;
    activity = std::max(activity, attended ? Activity::kAttended : Activity::kUnattended);
    ++i;
  }
  return activity;
}

void MpiGroup::wait(MpiCollective& collective) {
  collective.num_waiting.fetch_add(1, std::memory_order_relaxed);
  for (int looks = 0; looks < kBusyLooks && !collective.is_over(); ++looks) {
    (void)advance_all();  // the next ones, too: they will be waited for
  }
  const Clock& clock = steady_clock();
  const auto start = clock.now();
  auto until = start + options_.deadline;
  const auto heartbeat = hub_->heartbeat();
  const bool may_warn = heartbeat.count() > 0 && options_.deadline < kAnyTime;
  auto warn_at = may_warn ? start + heartbeat : Nanoseconds::max();
  bool may_spin = true;
  while (!collective.is_over()) {
    (void)advance_all();
    if (collective.is_over()) {
      break;
    }
    const auto now = clock.now();
    if (now >= until) {
      until = now + options_.deadline;
      expire(collective);
    } else if (now >= warn_at) {
      warn_at = Nanoseconds::max();
      warn_of_wait(collective);
    } else if (may_spin && now - start < kSpin) {
      std::this_thread::yield();
      may_spin = clock.now() - now < kCoreIsShared;
    } else {
      std::this_thread::sleep_for(kNap);
    }
  }
  collective.num_waiting.fetch_sub(1, std::memory_order_relaxed);
  if (collective.has_failed()) {
    throw with_collective(*failure_, name(), collective.call(), collective.sequence());
  }
}

MpiGroup::Missing MpiGroup::missing_in(const MpiCollective& collective) const {
  Missing missing;
  const char* separator = "";
  for (const int rank : collective.missing()) {
    const int process = processes_[static_cast<std::size_t>(rank)];
    missing.ranks += separator + std::to_string(process);
    missing.hosts += std::exchange(separator, ",") + hub_->host(process);
  }
  return missing;
}

void MpiGroup::warn_of_wait(const MpiCollective& collective) {
  Missing missing;
  {
    const std::lock_guard lock(mutex_);
    if (collective.is_over()) {
      return;
    }
    missing = missing_in(collective);
  }
  logger("askos.comm")
      ->warn(
          "ranks are late in a collective: missing={}, hosts={}, collective='{}', sequence={}, "
          "group={}",
          missing.ranks, missing.hosts, describe(collective.call()), collective.sequence(), name());
}

void MpiGroup::expire(MpiCollective& collective) {
  Missing missing;
  {
    const std::lock_guard lock(mutex_);
    if (collective.is_over()) {
      return;
    }
    missing = missing_in(collective);
  }
  const std::chrono::duration<double> seconds = options_.deadline;
  fail_everywhere(Error(Errc::kRankLost, "ranks did not enter a collective in time")
                      .with("collective", describe(collective.call()))
                      .with("sequence", collective.sequence())
                      .with("missing", missing.ranks)
                      .with("hosts", missing.hosts)
                      .with("group", name())
                      .with("seconds", seconds.count()));
}

void MpiGroup::abort(const std::string& reason) noexcept {
  fail_everywhere(Error(Errc::kCancelled, "collectives were given up")
                      .with("reason", reason)
                      .with("group", name()));
}

void MpiGroup::fail_everywhere(const Error& error) noexcept {
  hub_->tell(processes_, {.context = context_, .error = error});
  fail(error);
}

void MpiGroup::fail(const Error& error) noexcept {
  std::vector<std::weak_ptr<MpiGroup>> children;
  {
    const std::lock_guard lock(mutex_);
    const auto under_way = under_way_;  // it shrinks
    for (const auto& collective : under_way) {
      advance(*collective);  // what has arrived already is complete, not given up
    }
    fail_locked(error);
    children = children_;
  }
  for (const auto& child : children) {
    if (const auto group = child.lock()) {
      group->fail(error);
    }
  }
}

void MpiGroup::fail_locked(const Error& error) noexcept {
  if (failure_ != nullptr) {
    return;
  }
  failure_ = std::make_unique<const Error>(error);
  for (const auto& collective : under_way_) {
    collective->fail();
  }
  under_way_.clear();
}

std::shared_ptr<MpiGroup> MpiGroup::split(int color, const MpiGroupOptions& options) {
  const auto collective = enter({.kind = CallKind::kSplit, .color = color, .name = options.name});
  wait(*collective);
  std::vector<int> members;
  int own = 0;
  int context = 0;
  for (int rank = 0; rank < size(); ++rank) {
    const auto& envelope = collective->envelopes()[static_cast<std::size_t>(rank)];
    context = std::max(context, envelope.context);
    if (envelope.color == color) {
      own = rank == rank_ ? static_cast<int>(members.size()) : own;
      members.push_back(processes_[static_cast<std::size_t>(rank)]);
    }
  }
  auto group = hub_->add(context, std::move(members), own, options);
  const std::lock_guard lock(mutex_);
  if (failure_ != nullptr) {
    group->fail(*failure_);
  }
  children_.emplace_back(group);
  return group;
}

}  // namespace askos::comm
