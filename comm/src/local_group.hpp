// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local_collective.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace askos::comm {

/// What the ranks of one local communicator share: the order of their collectives, the thread that
/// moves bytes while all of them compute, and the failure that ended it, if one did.
class LocalGroup {
 public:
  LocalGroup(int num_ranks, const LocalOptions& options);
  /// Called when no rank and no `Work` refers to the group any more, so nothing is under way.
  ~LocalGroup();
  LocalGroup(const LocalGroup&) = delete;
  LocalGroup& operator=(const LocalGroup&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return options_.name; }
  [[nodiscard]] int size() const noexcept { return static_cast<int>(num_entered_.size()); }

  /// Enters the next collective of `rank`. The last rank to enter moves the bytes here if they are
  /// few, and hands them to whoever waits or to the progress thread if they are many.
  [[nodiscard]] std::shared_ptr<LocalCollective> enter(int rank, Call call);

  /// Blocks until `collective` is over. Throws the group's failure if that is why.
  void wait(LocalCollective& collective);

  /// Ends the membership of `rank`: what it has not entered fails on the others.
  void leave(int rank) noexcept;

  /// Fails what is under way and what comes, here and in all groups split from this one.
  void abort(const std::string& reason) noexcept;

 private:
  void move(const std::shared_ptr<LocalCollective>& collective);
  void expire(LocalCollective& collective);
  void make_progress();

  // These need the lock.
  [[nodiscard]] std::shared_ptr<LocalCollective> open(std::int64_t sequence);
  void close(std::int64_t sequence) noexcept;
  void fail(Error error) noexcept;
  void fail_if_left(const LocalCollective& collective) noexcept;
  [[nodiscard]] Error lost(std::string text, const LocalCollective& collective) const;
  void split(LocalCollective& collective);

  const LocalOptions options_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<LocalCollective>> open_;  // some rank is missing; by sequence
  std::int64_t first_open_ = 0;                        // sequence number of open_.front()
  std::vector<std::int64_t> num_entered_;              // by rank
  std::vector<bool> has_left_;                         // by rank
  std::unique_ptr<const Error> failure_;               // set once, before any state is kFailed
  std::vector<std::weak_ptr<LocalGroup>> children_;
  std::deque<std::shared_ptr<LocalCollective>> ready_;  // for the progress thread
  std::condition_variable ready_or_stop_;
  bool stop_ = false;
  std::thread progress_;  // of groups with more than one rank
};

}  // namespace askos::comm
