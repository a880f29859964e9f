// SPDX-License-Identifier: Apache-2.0
#include "ordered/ordered_communicator.hpp"

#include "calling_communicator.hpp"
#include "pieces.hpp"

#include <askos/base/error.hpp>
#include <askos/telemetry/ledger.hpp>

#include <utility>

namespace askos::comm {
namespace {

using telemetry::ScopedState;
using telemetry::State;

class OrderedWork final : public Work {
 public:
  OrderedWork(std::shared_ptr<OrderedGroup> group,
              std::shared_ptr<OrderedCollective> collective) noexcept
      : group_(std::move(group)), collective_(std::move(collective)) {}

  ~OrderedWork() override {
    try {
      if (!is_left_to_stream_) {
        OrderedWork::wait();
      }
    } catch (const Error&) {  // the group has failed, as the next wait on it will say
    }
  }

  [[nodiscard]] bool done() const noexcept override {
    try {
      return collective_->is_over();
    } catch (const Error&) {  // as `wait` will say
      return true;
    }
  }

  void wait() override {
    if (done()) {
      group_->wait(*collective_);
    } else {
      const ScopedState state(State::kWaitComm);
      group_->wait(*collective_);
    }
  }

  void wait_on(Stream stream) override {
    const ScopedState state(State::kWaitComm);
    group_->wait_on(*collective_, stream);
    is_left_to_stream_ = true;
  }

 private:
  std::shared_ptr<OrderedGroup> group_;
  std::shared_ptr<OrderedCollective> collective_;
  bool is_left_to_stream_ = false;
};

class OrderedCommunicator final : public CallingCommunicator {
 public:
  explicit OrderedCommunicator(std::shared_ptr<OrderedGroup> group) noexcept
      : group_(std::move(group)) {}

  [[nodiscard]] int rank() const noexcept override { return group_->membership().rank; }
  [[nodiscard]] int size() const noexcept override { return group_->membership().size; }
  [[nodiscard]] const std::string& name() const noexcept override {
    return group_->membership().name;
  }
  void follow(Stream stream) noexcept override { stream_ = stream; }

  [[nodiscard]] std::unique_ptr<Communicator> split(int color, const std::string& name) override {
    const ScopedState state(State::kWaitComm);
    auto made = std::make_unique<OrderedCommunicator>(
        group_->split(color, name, group_->membership().deadline));
    made->follow(stream_);
    return made;
  }

  void abort(const std::string& reason) noexcept override {
    group_->fail_everywhere(Error(Errc::kCancelled, "collectives were given up")
                                .with("reason", reason)
                                .with("group", name()));
  }

 private:
  [[nodiscard]] WorkPtr enter(Call call) override {
    return std::make_unique<OrderedWork>(group_, group_->enter(std::move(call), stream_));
  }
  [[nodiscard]] std::int64_t sent_bytes(const Call& call) const noexcept override {
    return message_bytes(call, rank(), size());
  }

  std::shared_ptr<OrderedGroup> group_;
  Stream stream_;
};

}  // namespace

std::unique_ptr<Communicator> make_ordered_communicator(OrderedRun& run,
                                                        const LocalOptions& options) {
  return std::make_unique<OrderedCommunicator>(
      run.world()->split(0, options.name, options.deadline));
}

}  // namespace askos::comm
