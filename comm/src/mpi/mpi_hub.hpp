// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mpi/alert.hpp"
#include "mpi/mpi_calls.hpp"
#include "mpi/mpi_group.hpp"
#include "peer_watch.hpp"

#include <askos/base/clock.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace askos::comm {

/// This process's membership in the run: MPI itself, the thread that moves on what nobody waits
/// for, heartbeats, and alerts between processes. One per process.
class MpiHub : public std::enable_shared_from_this<MpiHub> {
 public:
  /// Starts MPI. Throws `Errc::kEnvironment` if MPI lacks MPI_THREAD_MULTIPLE or enough tags.
  MpiHub();
  /// Ends MPI, unless the run has failed: then other processes may never come to its end.
  ~MpiHub();
  MpiHub(const MpiHub&) = delete;
  MpiHub& operator=(const MpiHub&) = delete;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  [[nodiscard]] const std::string& host(int rank) const { return watch_->peer(rank).host; }
  [[nodiscard]] MPI_Comm envelopes() const noexcept { return envelopes_; }
  [[nodiscard]] MPI_Comm payload() const noexcept { return payload_; }

  /// Makes and registers a group; `context` and later numbers are no longer free.
  [[nodiscard]] std::shared_ptr<MpiGroup> add(int context,
                                              std::vector<int> processes,
                                              int rank,
                                              const MpiGroupOptions& options);
  void remove(int context) noexcept;
  [[nodiscard]] int free_context() const;
  /// Returns once the hub's thread holds no group that its owners have let go: it must not be the
  /// one that ends the last group and, with it, the hub.
  void wait_until_released();

  /// Sends an alert to all `processes` but this one; they need not wait for it.
  void tell(const std::vector<int>& processes, const Alert& alert) noexcept;
  /// Makes the hub's thread look after collectives at once.
  void wake() noexcept;

  /// Calls a process lost that has been silent for `heartbeat`; 0: never.
  void expect_heartbeats(Nanoseconds heartbeat);
  [[nodiscard]] Nanoseconds heartbeat() const noexcept {
    return Nanoseconds(heartbeat_.load(std::memory_order_relaxed));
  }
  /// Fails all groups of all processes. The first failure stays.
  void fail_run(const Error& error) noexcept;
  /// Why the run has failed, here or elsewhere.
  [[nodiscard]] std::optional<Error> failure() const;

 private:
  void work();
  void look_after_run(Nanoseconds now);
  void receive_alerts();
  void receive_heartbeats(Nanoseconds now);
  void send_heartbeats(Nanoseconds now);
  void take(const Alert& alert) noexcept;
  void fail_here(const Error& error) noexcept;
  [[nodiscard]] std::vector<std::shared_ptr<MpiGroup>> groups() const;
  void nap(MpiGroup::Activity activity, Nanoseconds unattended_for, Nanoseconds idle_for);

  MPI_Comm envelopes_ = MPI_COMM_NULL;
  MPI_Comm payload_ = MPI_COMM_NULL;
  MPI_Comm alerts_ = MPI_COMM_NULL;
  MPI_Comm heartbeats_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::unique_ptr<PeerWatch> watch_;
  std::atomic<Nanoseconds::rep> heartbeat_{0};

  std::mutex holding_groups_;  // by the hub's thread, while it works on them
  mutable std::mutex mutex_;
  std::map<int, std::weak_ptr<MpiGroup>> groups_;  // by context
  std::map<int, Error> early_;                     // failures of groups that are not made yet
  int free_context_ = 0;
  std::unique_ptr<const Error> failure_;
  struct Sending {
    std::string bytes;
    MPI_Request request = MPI_REQUEST_NULL;
  };
  std::deque<Sending> sending_;

  std::vector<MPI_Request> beats_;  // to each process, by rank
  Nanoseconds next_beat_{};

  std::condition_variable woken_;
  std::atomic<bool> sleeps_long_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace askos::comm
