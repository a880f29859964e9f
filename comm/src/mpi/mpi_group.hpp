// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mpi/mpi_collective.hpp"

#include <askos/base/clock.hpp>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace askos::comm {

class MpiHub;

/// What a group of processes calls one of its communicators, and how long its waits may last.
struct MpiGroupOptions {
  std::string name;
  Nanoseconds deadline{};
};

/// This process's part in one communicator: its order, what is under way, the failure that ended
/// it. Any thread, except that the group's collectives are entered by one.
class MpiGroup {
 public:
  /// `processes` are MPI ranks by rank of the group; `context` is a number that all of them have
  /// agreed on.
  MpiGroup(std::shared_ptr<MpiHub> hub,
           int context,
           std::vector<int> processes,
           int rank,
           MpiGroupOptions options);
  ~MpiGroup();
  MpiGroup(const MpiGroup&) = delete;
  MpiGroup& operator=(const MpiGroup&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return options_.name; }
  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return static_cast<int>(processes_.size()); }

  [[nodiscard]] std::shared_ptr<MpiCollective> enter(Call call);
  /// Blocks until `collective` is over. Throws the group's failure if that is why.
  void wait(MpiCollective& collective);
  /// Fails this group and those split from it, here and on its other processes.
  void abort(const std::string& reason) noexcept;
  /// Makes the group of those that gave the same color; blocks.
  [[nodiscard]] std::shared_ptr<MpiGroup> split(int color, const MpiGroupOptions& options);
  [[nodiscard]] Nanoseconds deadline() const noexcept { return options_.deadline; }

  /// Fails this group and those split from it in this process. The first failure stays.
  void fail(const Error& error) noexcept;

  enum class Activity { kNone, kAttended, kUnattended };
  /// Advances what is under way, for the hub's thread. Unattended: nobody waits for some of it.
  Activity advance_all() noexcept;

 private:
  // These need the lock.
  void advance(MpiCollective& collective) noexcept;
  void fail_locked(const Error& error) noexcept;

  /// Who is missing in a collective, and on which hosts; needs the lock.
  struct Missing {
    std::string ranks;
    std::string hosts;
  };
  [[nodiscard]] Missing missing_in(const MpiCollective& collective) const;
  /// Tells whoever reads the log whom this rank has been waiting for longer than a heartbeat.
  void warn_of_wait(const MpiCollective& collective);
  void expire(MpiCollective& collective);
  /// Fails the group here and tells its other processes.
  void fail_everywhere(const Error& error) noexcept;

  const std::shared_ptr<MpiHub> hub_;
  const int context_;
  const std::vector<int> processes_;
  const int rank_;
  const MpiGroupOptions options_;

  std::mutex mutex_;
  std::int64_t num_entered_ = 0;
  std::deque<std::shared_ptr<MpiCollective>> under_way_;
  std::unique_ptr<const Error> failure_;  // set once, before any state is kFailed
  std::vector<std::weak_ptr<MpiGroup>> children_;
};

}  // namespace askos::comm
