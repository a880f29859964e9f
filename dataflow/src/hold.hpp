// SPDX-License-Identifier: Apache-2.0
// What a debugger holds of a graph, and how a hold comes about:
//
//   kRunning -pause-> kCutting -> kClosing -> kPaused -step-> kStepping -> kCutting -> …
//   any -resume of all, drain, stop, end of the lease-> kRunning
//
// kCutting: stages with collectives go on to the last run that any rank had begun, and all others
// run freely, so that these get their packets. That run can be reached: what its inputs need has
// been made on one rank by runs that the other ranks will do as well. kClosing: the others stop
// where they are; if they are not all of the graph, they then go on to the last run that any rank
// had done, since otherwise ranks would feed their collectives unequally.
//
// Stages that come to stand drive this on; so does whoever asks for the status. With a rank per
// process each has a hold of its own, and `PeerHold` makes them agree (`catch_up`).
#pragma once

#include "stage_runner.hpp"

#include <askos/dataflow/control.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace askos::dataflow {

class Hold {
 public:
  using Runners = std::vector<std::unique_ptr<StageRunner>>;

  /// `runners` hold the same stages for each rank, rank by rank; they may still be added.
  explicit Hold(const Runners& runners) : runners_(runners) {}
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  void pause(const Debugger& debugger, std::string_view stage, const char* reason);
  void resume(const Debugger& debugger, std::string_view stage);
  void step(const Debugger& debugger, std::int64_t num_runs, std::string_view stage);
  /// As `Control::catch_up`.
  void catch_up(const std::vector<StageTurn>& turns);
  [[nodiscard]] HoldStatus status(std::string_view debugger);
  [[nodiscard]] HoldStatus wait(Nanoseconds deadline);
  /// As `Control::tend`.
  bool tend();
  /// Lets everything go on, whoever holds it. For the end of the session.
  void release();
  /// Holds all stages because a packet that `runner` is about to take met a breakpoint. Called by
  /// the runner before `turn`, which it does not begin unless other ranks need it to reach the cut.
  void hit(StageRunner& runner, const Debugger& debugger);
  /// Makes a stage look at what it takes; the gate's own lock is this one's.
  void set_probing(StageRunner& runner, bool probing);
  /// Calls `change` when all stages stand, and lets them go on as they were afterwards. At once if
  /// they stand already; never if the session ends before.
  void when_all_stand(std::function<void()> change);
  /// A stage stands at its gate, or has ended. Cheap while nothing is held.
  void note_stand();
  [[nodiscard]] bool is_active() const noexcept { return active_.load(std::memory_order_relaxed); }

 private:
  enum class Phase { kRunning, kCutting, kClosing, kPaused, kStepping };

  [[nodiscard]] std::size_t num_stages() const noexcept;
  [[nodiscard]] std::vector<StageRunner*> ranks_of(std::size_t stage) const;
  [[nodiscard]] std::vector<std::size_t> chosen(std::string_view stage) const;
  [[nodiscard]] bool holds_all() const;
  /// Throws if `debugger` may not touch the hold.
  void check_owner(const Debugger& debugger) const;
  void claim(const Debugger& debugger);
  void renew(Nanoseconds lease);
  void release_locked();
  void begin_cut();
  void open_rest();
  void start_hold(const Debugger& debugger);
  void make_changes();
  [[nodiscard]] bool cut(std::size_t stage);
  void close_rest();
  [[nodiscard]] bool level();
  void advance();
  [[nodiscard]] bool all_stand(bool collective_only) const;
  [[nodiscard]] std::vector<std::uint64_t> signature() const;
  [[nodiscard]] bool is_quiescent() const;
  [[nodiscard]] HoldStatus status_locked() const;
  void set_phase(Phase phase);

  const Runners& runners_;
  std::atomic<bool> active_{false};

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  Phase phase_ = Phase::kRunning;
  std::vector<bool> held_;    // by stage: somebody wants it to stand
  std::vector<bool> moving_;  // of these, which the phase is about
  Debugger debugger_;
  std::string reason_;
  std::vector<std::function<void()>> changes_;  // to be made when all stand
  std::vector<bool> held_besides_;              // stages that are held for more than the changes
  Nanoseconds since_{};
  Nanoseconds expires_{};
};

}  // namespace askos::dataflow
