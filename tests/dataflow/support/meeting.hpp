// SPDX-License-Identifier: Apache-2.0
// Ranks that meet in each run, with or without a thread of their own.
#pragma once

#include "dataflow/support/stages.hpp"

#include <askos/comm/communicator.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace askos::dataflow::test {

/// Sums each number over the ranks by a collective, and blocks in it.
class AllReduce final : public Stage {
 public:
  explicit AllReduce(std::unique_ptr<comm::Communicator> ranks) : ranks_(std::move(ranks)) {}
  In<Number> in{*this, "in"};
  Out<Number> out{*this, "out"};

  void run(Context& context) override {
    const auto packet = context.take(in);
    double sum = static_cast<double>(*packet);
    ranks_->all_reduce({.data = &sum, .count = 1, .dtype = DType::kFloat64})->wait();
    context.emit(out, static_cast<Number>(sum), packet.meta);
  }
  [[nodiscard]] Threading threading() const override { return Threading::kDedicated; }
  [[nodiscard]] std::string communicator() const override { return "sums"; }

 private:
  std::unique_ptr<comm::Communicator> ranks_;
};

/// Where ranks meet without blocking: all enter a run, then all may leave it.
class MeetingPoint {
 public:
  explicit MeetingPoint(std::size_t num_ranks) : entered_(num_ranks), wakers_(num_ranks) {}

  /// Enters run number `number`; returns whether all ranks have. Else `waker` is called when.
  [[nodiscard]] bool enter(std::size_t rank, std::int64_t number, const Waker& waker) {
    std::vector<Waker> to_wake;
    {
      const std::lock_guard lock(mutex_);
      entered_[rank] = number + 1;
      wakers_[rank] = waker;
      for (const auto entered : entered_) {
        if (entered <= number) return false;
      }
      to_wake = wakers_;
      to_wake[rank] = Waker();  // is awake
    }
    for (const auto& wake : to_wake) wake();
    return true;
  }
  /// True if some rank has entered a run that another has not.
  [[nodiscard]] bool is_half_entered() const {
    const std::lock_guard lock(mutex_);
    for (const auto entered : entered_) {
      if (entered != entered_.front()) return true;
    }
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::int64_t> entered_;
  std::vector<Waker> wakers_;
};

/// Passes numbers on, each when all ranks are there.
class Meet final : public Stage {
 public:
  Meet(std::string name, std::shared_ptr<MeetingPoint> point, int batch = 1)
      : in(*this, "in", {.rate = batch}), name_(std::move(name)), point_(std::move(point)) {}
  In<Number> in;
  Out<Number> out{*this, "out"};

  void run(Context& context) override {
    const auto rank = static_cast<std::size_t>(context.rank().value);
    if (!point_->enter(rank, num_met_, context.waker())) {
      return context.wake_at(Nanoseconds::max());
    }
    Number sum = 0;
    for (int i = 0; i < in.contract().rate; ++i) sum += *context.take(in);
    context.emit(out, Number{sum});
    ++num_met_;
  }
  [[nodiscard]] std::string communicator() const override { return name_; }

 private:
  std::string name_;
  std::shared_ptr<MeetingPoint> point_;
  std::int64_t num_met_ = 0;
};

}  // namespace askos::dataflow::test
