// SPDX-License-Identifier: Apache-2.0
// The ledger is a sequence lock with one writer: readers retry while the version is odd or moved.
// Data is stored with release and loaded with acquire, which keeps it between the two version
// accesses without fences (Boehm, "Can seqlocks get along with programming language memory
// models?", MSPC 2012).
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_log.hpp>

namespace askos::telemetry {
namespace {

constexpr std::array<std::string_view, kNumStates> kNames{
    "busy.cpu", "busy.gpu", "wait.input", "wait.credit", "wait.comm",
    "wait.io",  "wait.mem", "wait.sched", "paused",      "off"};

thread_local CurrentLedger::Account current;

}  // namespace

std::string_view to_string(State state) noexcept {
  return kNames[static_cast<std::size_t>(state)];
}

Ledger::Ledger(const Clock& clock) noexcept
    : clock_(&clock), opened_(clock.now()), since_(opened_.count()) {}

State Ledger::enter(State next) noexcept {
  const auto former = state_.load(std::memory_order_relaxed);
  const auto now = clock_->now().count();
  auto& time = times_[static_cast<std::size_t>(former)];
  const auto version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  time.store(time.load(std::memory_order_relaxed) + now - since_.load(std::memory_order_relaxed),
             std::memory_order_release);
  since_.store(now, std::memory_order_release);
  state_.store(next, std::memory_order_release);
  version_.store(version + 2, std::memory_order_release);
  return former;
}

LedgerReading Ledger::read() const noexcept {
  LedgerReading reading;
  reading.opened = opened_;
  std::int64_t since = 0;
  for (;;) {
    const auto before = version_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < kNumStates; ++i) {
      reading.times[i] = times_[i].load(std::memory_order_acquire);
    }
    since = since_.load(std::memory_order_acquire);
    reading.state = state_.load(std::memory_order_acquire);
    reading.at = clock_->now();
    if (before % 2 == 0 && before == version_.load(std::memory_order_relaxed)) {
      break;
    }
  }
  reading.times[static_cast<std::size_t>(reading.state)] += reading.at.count() - since;
  return reading;
}

CurrentLedger::CurrentLedger(Ledger* ledger, TraceLog* log, std::uint16_t stage)
    : former_(current) {
  current = {ledger, log, log == nullptr ? nullptr : &log->ring(), stage};
}

CurrentLedger::~CurrentLedger() {
  current = former_;
}

TraceRing* CurrentLedger::ring() noexcept {
  return current.ring;
}

ScopedState::ScopedState(State state) noexcept : account_(current), state_(state) {
  if (account_.ledger != nullptr) {
    former_ = account_.ledger->enter(state);
  }
  if (account_.ring != nullptr) {
    began_ = ticks();
  }
}

ScopedState::~ScopedState() {
  if (account_.ring != nullptr) {
    const auto now = ticks();
    account_.ring->record({.end = now,
                           .stage = account_.stage,
                           .kind = TraceKind::kWait,
                           .flags = static_cast<std::uint8_t>(state_),
                           .duration = now - began_});
  }
  if (account_.ledger != nullptr) {
    account_.ledger->enter(former_);
  }
}

void record_collective(std::uint8_t operation,
                       std::uint64_t group,
                       std::uint32_t sequence,
                       std::uint64_t began,
                       std::uint64_t ended) noexcept {
  if (current.ring == nullptr) {
    return;
  }
  current.ring->record({.end = ended,
                        .stage = current.stage,
                        .kind = TraceKind::kCollective,
                        .flags = operation,
                        .detail = sequence,
                        .id = group,
                        .duration = ended - began});
}

void record_operator(std::string_view name, std::uint64_t began, std::uint64_t ended) {
  if (current.log != nullptr) {
    current.log->record_operator(current.stage, name, began, ended);
  }
}

}  // namespace askos::telemetry
