// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "entered_calls.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace askos::comm {

class LocalGroup;

/// One collective of a local group: what each rank asked for, and the bytes moved once all are
/// here.
///
///   kGathering -> kReady -> kDone      the progress thread and the ranks that wait move the bytes
///   kGathering -> kDone                the last rank to enter moves them
///   kGathering -> kFailed              see `LocalGroup::failure`
///
/// `enter`, `is_complete`, `missing` and `fail` need the group's lock; the rest does not.
class LocalCollective {
 public:
  enum class State : std::uint32_t { kGathering, kReady, kDone, kFailed };

  LocalCollective(std::int64_t sequence, int num_ranks) : entered_(sequence, num_ranks) {}

  [[nodiscard]] std::int64_t sequence() const noexcept { return entered_.sequence(); }

  /// Records the call of `rank`. Returns what is wrong if the ranks' calls do not fit together.
  [[nodiscard]] std::optional<Error> enter(int rank, Call call) {
    return entered_.enter(rank, std::move(call));
  }
  [[nodiscard]] bool is_complete() const noexcept { return entered_.is_complete(); }
  [[nodiscard]] std::vector<int> missing() const { return entered_.missing(); }
  /// What the first rank to enter asked for.
  [[nodiscard]] const Call& first_call() const noexcept { return entered_.first(); }
  [[nodiscard]] const std::vector<Call>& calls() const noexcept { return entered_.all(); }
  void fail() noexcept { publish(State::kFailed); }

  /// Bytes that reach the ranks' buffers in all.
  [[nodiscard]] std::int64_t moved_bytes() const noexcept;
  /// Moves all bytes on the calling thread, which must be the one that completed the collective.
  void run() noexcept;
  /// Lets any thread take parts of the work. Returns whether a rank waits already and will do it.
  [[nodiscard]] bool offer() noexcept;
  /// Moves parts until none is left to take.
  void help() noexcept;

  /// Tells whether a wait would return at once.
  [[nodiscard]] bool is_over() const noexcept;
  /// The tick at which it was done; 0 before.
  [[nodiscard]] std::uint64_t finished_at() const noexcept {
    return finished_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool has_failed() const noexcept { return state() == State::kFailed; }
  /// Blocks until it is over, helping where it can. Returns false if ranks are still missing after
  /// `timeout`.
  [[nodiscard]] bool wait(Nanoseconds timeout) noexcept;

  /// What split gives to each rank.
  struct Membership {
    std::shared_ptr<LocalGroup> group;
    int rank = 0;
  };
  std::vector<Membership> memberships;

 private:
  [[nodiscard]] State state() const noexcept {
    return State(state_.load(std::memory_order_acquire));
  }
  [[nodiscard]] int num_ranks() const noexcept { return static_cast<int>(calls().size()); }
  void publish(State state) noexcept;

  EnteredCalls entered_;
  std::atomic<std::uint32_t> state_{0};
  std::atomic<std::uint64_t> finished_{0};  // in ticks
  std::atomic<int> num_waiting_{0};         // threads in `wait`
  std::atomic<int> num_blocked_{0};         // those of them that look no more
  std::atomic<int> next_part_{0};
  std::atomic<int> num_parts_done_{0};
};

}  // namespace askos::comm
