// SPDX-License-Identifier: Apache-2.0
#include "call.hpp"
#include "calling_communicator.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/recorded_calls.hpp>

#include <array>
#include <cstring>
#include <utility>

namespace askos::comm {
namespace {

class DoneWork final : public Work {
 public:
  [[nodiscard]] bool done() const noexcept override { return true; }
  void wait() override {}
};

/// Puts what was received where it belongs.
void fill(const RecordedCall& recorded, Buffer receive) {
  const auto expected = static_cast<std::size_t>(receive.count * size_of(receive.dtype));
  if (recorded.received.size() != expected) {
    throw Error(Errc::kCorruptData, "recorded collective received another number of bytes")
        .with("collective", recorded.call)
        .with("expected", expected)
        .with("found", recorded.received.size());
  }
  if (expected > 0) std::memcpy(receive.data, recorded.received.data(), expected);
}

class ReplayingCommunicator final : public CallingCommunicator {
 public:
  ReplayingCommunicator(int rank, int size, std::string name, std::shared_ptr<CallReplay> replay)
      : rank_(rank), size_(size), name_(std::move(name)), replay_(std::move(replay)) {}

  [[nodiscard]] int rank() const noexcept override { return rank_; }
  [[nodiscard]] int size() const noexcept override { return size_; }
  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  void abort(const std::string& /*reason*/) noexcept override {}

  [[nodiscard]] std::unique_ptr<Communicator> split(int color, const std::string& name) override {
    std::array<std::int64_t, 2> place{};
    fill(replay_->take(describe({.kind = CallKind::kSplit, .color = color, .name = name})),
         {place.data(), 2, DType::kInt64});
    return std::make_unique<ReplayingCommunicator>(static_cast<int>(place[0]),
                                                   static_cast<int>(place[1]), name, replay_);
  }

 private:
  [[nodiscard]] WorkPtr enter(Call call) override {
    fill(replay_->take(describe(call)), call.receive);
    return std::make_unique<DoneWork>();
  }

  int rank_;
  int size_;
  std::string name_;
  std::shared_ptr<CallReplay> replay_;
};

}  // namespace

void CallReplay::supply(std::vector<RecordedCall> calls) {
  calls_.erase(calls_.begin(), calls_.begin() + static_cast<std::ptrdiff_t>(next_));
  next_ = 0;
  calls_.insert(calls_.end(), std::make_move_iterator(calls.begin()),
                std::make_move_iterator(calls.end()));
}

RecordedCall CallReplay::take(const std::string& call) {
  const bool none = next_ == calls_.size();
  if (none || calls_[next_].call != call) {
    throw Error(Errc::kCheckFailed, none ? "collective was not recorded"
                                         : "another collective was recorded at this place")
        .with("entered", call)
        .with("recorded", none ? "none" : calls_[next_].call);
  }
  return std::move(calls_[next_++]);
}

std::shared_ptr<Communicator> replay_calls(int rank,
                                           int size,
                                           std::string name,
                                           std::shared_ptr<CallReplay> replay) {
  return std::make_shared<ReplayingCommunicator>(rank, size, std::move(name), std::move(replay));
}

}  // namespace askos::comm
