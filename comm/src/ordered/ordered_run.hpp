// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ordered/control.hpp"
#include "ordered/leader.hpp"
#include "ordered/mover.hpp"
#include "ordered/ordered_group.hpp"
#include "peer_watch.hpp"

#include <askos/base/clock.hpp>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

namespace askos::comm {

/// This rank's membership in a run whose collectives all go in one order: a thread that moves what
/// rank 0 orders, one that announces what was entered and watches the other ranks, and on rank 0
/// the `Leader`. Any thread.
class OrderedRun {
 public:
  /// Blocks until all ranks are here. A rank that is silent for `heartbeat` is lost; 0: only one
  /// whose process has ended on this host. Throws `Errc::kRankLost` naming ranks that do not come.
  OrderedRun(std::shared_ptr<Rendezvous> rendezvous,
             std::unique_ptr<Mover> mover,
             Nanoseconds heartbeat);
  /// Leaves: waits for all others to come here, unless the run has failed. No communicator is left.
  ~OrderedRun();
  OrderedRun(const OrderedRun&) = delete;
  OrderedRun& operator=(const OrderedRun&) = delete;

  [[nodiscard]] int rank() const noexcept { return control_.rank(); }
  [[nodiscard]] int size() const noexcept { return control_.size(); }
  /// The group of all ranks, from which others are split.
  [[nodiscard]] std::shared_ptr<OrderedGroup> world() const;

  /// Takes a rank that is silent for `heartbeat` as lost from now on. Any thread.
  void expect_heartbeats(Nanoseconds heartbeat) noexcept { heartbeat_ = heartbeat; }

  [[nodiscard]] std::unique_ptr<Mark> mark(Stream stream) { return mover_->mark(stream); }
  void announce(Announcement announcement);
  /// Registers a group that a split has made. The moving thread.
  [[nodiscard]] std::shared_ptr<OrderedGroup> add(Membership membership,
                                                  std::unique_ptr<Link> link);

  /// Fails a group and those split from it, or the whole run, here and on its other ranks.
  void fail(GroupId group, const Error& error) noexcept;
  /// Why the whole run has failed, here or elsewhere.
  [[nodiscard]] std::optional<Error> failure() const;

 private:
  void wait_for_start();
  void stop() noexcept;
  void move();
  void follow(const Order& order);
  void announce_unused_groups();
  void speak();
  void look_after_run(Nanoseconds now);
  void exchange_beats(Nanoseconds now);
  void suspect(const Error& error) noexcept;
  void fail_here(GroupId group, const Error& error) noexcept;

  Control control_;
  std::unique_ptr<Mover> mover_;
  std::atomic<Nanoseconds> heartbeat_;
  std::optional<PeerWatch> watch_;            // the speaking thread's
  Nanoseconds next_beat_{};                   // likewise
  std::vector<std::int64_t> beats_;           // likewise: counts last seen, by rank
  std::optional<Nanoseconds> missing_since_;  // likewise: a rank has ended while all leave

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<GroupId, std::shared_ptr<OrderedGroup>> groups_;
  std::set<GroupId> dropped_;  // by this rank: their links live until all have
  std::vector<Announcement> outbox_;
  std::unique_ptr<const Error> failure_;
  std::optional<Error> suspicion_;  // a connection broke: which rank was lost will show
  Nanoseconds suspected_at_{};
  bool is_leaving_ = false;
  std::atomic<bool> has_ended_{false};  // all ranks have left
  std::atomic<bool> give_up_{false};
  std::atomic<bool> stop_{false};
  std::unique_ptr<Leader> leader_;  // on rank 0
  std::thread speaker_;
  std::thread mover_thread_;
};

}  // namespace askos::comm
