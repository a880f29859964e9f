// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace askos::telemetry {

/// What a stage is doing; at any instant exactly one of these (spec: time ledger).
///
///   kOff -> kWaitSched -> kBusyCpu <-> any wait -> ... -> kOff
enum class State : std::uint8_t {
  kBusyCpu,     ///< its handler runs
  kBusyGpu,     ///< its handler returned, its device work is pending and nothing else is to do
  kWaitInput,   ///< starved: a required port is empty
  kWaitCredit,  ///< held back: an output edge has no credit
  kWaitComm,    ///< blocked on a collective
  kWaitIo,      ///< blocked on a read, a write or a timer of the outside world
  kWaitMem,     ///< a pool is exhausted
  kWaitSched,   ///< runnable, but no thread took it yet
  kPaused,      ///< held by a debugger
  kOff,         ///< not started, drained or failed
};
inline constexpr std::size_t kNumStates = 10;

/// Returns the state's documented name: `busy.cpu`, `wait.credit`, ….
[[nodiscard]] std::string_view to_string(State state) noexcept;

/// Nanoseconds spent in each state, indexed by `State`.
using StateTimes = std::array<std::int64_t, kNumStates>;

/// One consistent reading of a ledger.
struct LedgerReading {
  State state = State::kOff;  ///< the state at the time of the reading
  Nanoseconds opened{};       ///< when the ledger was opened
  Nanoseconds at{};           ///< when it was read
  StateTimes times{};         ///< up to `at`; sums to `at - opened` exactly

  [[nodiscard]] Nanoseconds in(State wanted) const noexcept {
    return Nanoseconds(times[static_cast<std::size_t>(wanted)]);
  }
};

/// Accounts a stage's time without gap or overlap: the states add up to wall time.
///
/// One thread at a time writes (`enter`); any thread reads, without a lock. A transition costs a
/// clock read and two adds.
class Ledger {
 public:
  /// Opens the account in `kOff`. The clock must outlive the ledger.
  explicit Ledger(const Clock& clock = steady_clock()) noexcept;

  /// Closes the running state and starts `next` at the same instant. Returns the former state.
  State enter(State next) noexcept;

  /// Reads a consistent snapshot; spins only while a transition is being written.
  [[nodiscard]] LedgerReading read() const noexcept;

  [[nodiscard]] State state() const noexcept { return state_.load(std::memory_order_relaxed); }

  /// Returns the time that closed intervals of `state` add up to, without a clock read. For the
  /// writer: an interval that still runs is not in it.
  [[nodiscard]] Nanoseconds closed(State state) const noexcept {
    return Nanoseconds(times_[static_cast<std::size_t>(state)].load(std::memory_order_relaxed));
  }

 private:
  const Clock* clock_;
  Nanoseconds opened_;
  std::atomic<std::uint32_t> version_{0};  // odd while a transition is written
  std::atomic<State> state_{State::kOff};
  std::atomic<std::int64_t> since_;
  std::array<std::atomic<std::int64_t>, kNumStates> times_{};
};

class TraceLog;
class TraceRing;

/// Makes `ledger` the account of whatever the calling thread does, until the guard dies, and `log`
/// the place of its events, under the number `stage`. The engine does this around a stage's
/// handler; `nullptr` switches accounting or tracing off.
class CurrentLedger {
 public:
  explicit CurrentLedger(Ledger* ledger, TraceLog* log = nullptr, std::uint16_t stage = 0);
  ~CurrentLedger();
  CurrentLedger(const CurrentLedger&) = delete;
  CurrentLedger& operator=(const CurrentLedger&) = delete;

  /// The calling thread's ring in the log.
  [[nodiscard]] static TraceRing* ring() noexcept;

  struct Account {
    Ledger* ledger = nullptr;
    TraceLog* log = nullptr;
    TraceRing* ring = nullptr;  ///< of the thread, in `log`
    std::uint16_t stage = 0;
  };

 private:
  Account former_;
};

/// Puts the calling thread's ledger into `state` and back when the guard dies, and records the time
/// between as a wait. Does nothing on a thread without an account, so libraries below the engine
/// can always use it around a wait.
class ScopedState {
 public:
  explicit ScopedState(State state) noexcept;
  ~ScopedState();
  ScopedState(const ScopedState&) = delete;
  ScopedState& operator=(const ScopedState&) = delete;

 private:
  CurrentLedger::Account account_;
  State state_;
  State former_ = State::kOff;
  std::uint64_t began_ = 0;  // in ticks
};

/// Records a collective of the calling thread's stage, if it has an account: number `operation`
/// (see `collective_name`), `sequence` in the order of `group`, under way between two ticks.
void record_collective(std::uint8_t operation,
                       std::uint64_t group,
                       std::uint32_t sequence,
                       std::uint64_t began,
                       std::uint64_t ended) noexcept;

/// Records an operator of a numeric library that the calling thread's stage has run between two
/// ticks, if it has an account.
void record_operator(std::string_view name, std::uint64_t began, std::uint64_t ended);

}  // namespace askos::telemetry
