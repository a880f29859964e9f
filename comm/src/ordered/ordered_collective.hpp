// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"
#include "ordered/mover.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace askos::comm {

class OrderedGroup;

/// One collective as this rank takes part in it.
///
///   kEntered -> kStarted     all ranks have entered; its transfer is queued, if it has bytes
///   kEntered -> kFailed      see `OrderedGroup::wait`
///   kStarted -> kFailed      before its transfer was done
///
/// `start` and `fail` need the group's lock; the rest does not.
class OrderedCollective {
 public:
  enum class State { kEntered, kStarted, kFailed };

  OrderedCollective(std::int64_t sequence, Call call, std::unique_ptr<Mark> after) noexcept
      : sequence_(sequence), call_(std::move(call)), after_(std::move(after)) {}

  [[nodiscard]] std::int64_t sequence() const noexcept { return sequence_; }
  [[nodiscard]] const Call& call() const noexcept { return call_; }
  [[nodiscard]] const Mark* after() const noexcept { return after_.get(); }

  void start(std::shared_ptr<Transfer> transfer, std::shared_ptr<OrderedGroup> made) noexcept {
    transfer_ = std::move(transfer);
    made_ = std::move(made);
    state_.store(State::kStarted, std::memory_order_release);
  }
  void fail() noexcept { state_.store(State::kFailed, std::memory_order_release); }

  [[nodiscard]] State state() const noexcept { return state_.load(std::memory_order_acquire); }
  /// Tells whether a wait would return or throw at once. Throws what the device reports.
  [[nodiscard]] bool is_over() const {
    switch (state()) {
      case State::kEntered: return false;
      case State::kStarted: return transfer_ == nullptr || transfer_->is_done();
      case State::kFailed: return true;
    }
    return true;
  }
  /// What moves its bytes once it has started; none if it has no bytes.
  [[nodiscard]] const Transfer* transfer() const noexcept { return transfer_.get(); }
  /// What a split made, once it has started.
  [[nodiscard]] const std::shared_ptr<OrderedGroup>& made() const noexcept { return made_; }

 private:
  const std::int64_t sequence_;
  const Call call_;
  const std::unique_ptr<Mark> after_;
  std::atomic<State> state_{State::kEntered};
  std::shared_ptr<Transfer> transfer_;
  std::shared_ptr<OrderedGroup> made_;
};

}  // namespace askos::comm
