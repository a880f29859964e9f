// SPDX-License-Identifier: Apache-2.0
#include "local_collective.hpp"

#include "futex.hpp"
#include "local_move.hpp"

#include <askos/telemetry/trace_ring.hpp>

#include <thread>

namespace askos::comm {
namespace {

/// How long a wait looks before it blocks: twice what waking a thread takes on a virtual machine.
/// It yields meanwhile, so that more ranks than cores do not hold each other up. See
/// docs/decisions/0020-local-collectives.md.
constexpr Nanoseconds kSpin = std::chrono::microseconds(50);

}  // namespace

std::int64_t LocalCollective::moved_bytes() const noexcept {
  std::int64_t bytes = 0;
  for (const Call& call : calls()) {
    bytes += call.receive.count * size_of(call.receive.dtype);
  }
  return bytes;
}

void LocalCollective::run() noexcept {
  for (int part = 0; part < num_ranks(); ++part) {
    move_part(calls(), part);
  }
  publish(State::kDone);
}

bool LocalCollective::offer() noexcept {
  publish(State::kReady);
  return num_waiting_.load(std::memory_order_seq_cst) > 0;
}

void LocalCollective::help() noexcept {
  const int num_parts = num_ranks();
  for (int part = 0; (part = next_part_.fetch_add(1, std::memory_order_relaxed)) < num_parts;) {
    move_part(calls(), part);
    if (num_parts_done_.fetch_add(1, std::memory_order_acq_rel) + 1 == num_parts) {
      publish(State::kDone);
    }
  }
}

void LocalCollective::publish(State state) noexcept {
  if (state == State::kDone) {
    finished_.store(telemetry::ticks(), std::memory_order_relaxed);
  }
  // A thread that blocks after this load finds the new state instead.
  state_.store(static_cast<std::uint32_t>(state), std::memory_order_seq_cst);
  if (num_blocked_.load(std::memory_order_seq_cst) > 0) {
    futex_wake_all(state_);
  }
}

bool LocalCollective::is_over() const noexcept {
  return state() == State::kDone || state() == State::kFailed;
}

bool LocalCollective::wait(Nanoseconds timeout) noexcept {
  const Clock& clock = steady_clock();
  const auto start = clock.now();
  num_waiting_.fetch_add(1, std::memory_order_seq_cst);
  bool in_time = true;
  for (;;) {
    const State seen = State(state_.load(std::memory_order_seq_cst));
    if (seen == State::kDone || seen == State::kFailed) {
      break;
    }
    if (seen == State::kReady) {
      help();
    }
    const auto waited = clock.now() - start;
    if (waited < kSpin) {
      std::this_thread::yield();
    } else if (waited < timeout) {
      num_blocked_.fetch_add(1, std::memory_order_seq_cst);
      futex_wait(state_, static_cast<std::uint32_t>(seen), timeout - waited);
      num_blocked_.fetch_sub(1, std::memory_order_relaxed);
    } else {
      in_time = false;
      break;
    }
  }
  num_waiting_.fetch_sub(1, std::memory_order_relaxed);
  return in_time;
}

}  // namespace askos::comm
