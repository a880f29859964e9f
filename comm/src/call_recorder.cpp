// SPDX-License-Identifier: Apache-2.0
#include "call.hpp"
#include "calling_communicator.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/recorded_calls.hpp>

#include <array>
#include <utility>

namespace askos::comm {
namespace {

/// Copies what was received once it is there: when somebody waits for it, or lets go of it.
class RecordedWork final : public Work {
 public:
  RecordedWork(WorkPtr inner,
               std::shared_ptr<CallRecorder> recorder,
               CallRecorder::Place place,
               Buffer receive)
      : inner_(std::move(inner)),
        recorder_(std::move(recorder)),
        place_(place),
        receive_(receive) {}
  ~RecordedWork() override {
    try {
      if (!seen_) RecordedWork::wait();
    } catch (const Error&) {  // the next wait in the group says so
    }
  }

  [[nodiscard]] bool done() const noexcept override { return inner_->done(); }
  void wait() override {
    inner_->wait();
    if (!std::exchange(seen_, true)) recorder_->complete(place_, receive_);
  }
  void wait_on(Stream stream) override {
    if (stream.handle == nullptr) return wait();
    inner_->wait_on(stream);
    seen_ = true;  // by the device alone: the place stays open
  }

 private:
  WorkPtr inner_;
  std::shared_ptr<CallRecorder> recorder_;
  CallRecorder::Place place_;
  Buffer receive_;
  bool seen_ = false;
};

class RecordingCommunicator final : public CallingCommunicator {
 public:
  RecordingCommunicator(std::shared_ptr<Communicator> inner, std::shared_ptr<CallRecorder> recorder)
      : inner_(std::move(inner)), recorder_(std::move(recorder)) {}

  [[nodiscard]] int rank() const noexcept override { return inner_->rank(); }
  [[nodiscard]] int size() const noexcept override { return inner_->size(); }
  [[nodiscard]] const std::string& name() const noexcept override { return inner_->name(); }
  void follow(Stream stream) noexcept override { inner_->follow(stream); }
  void abort(const std::string& reason) noexcept override { inner_->abort(reason); }

  [[nodiscard]] std::unique_ptr<Communicator> split(int color, const std::string& name) override {
    auto part = inner_->split(color, name);
    if (recorder_->is_on()) {
      const std::array<std::int64_t, 2> place{part->rank(), part->size()};
      recorder_->complete(
          recorder_->enter(describe({.kind = CallKind::kSplit, .color = color, .name = name})),
          {place.data(), 2, DType::kInt64});
    }
    return std::make_unique<RecordingCommunicator>(std::move(part), recorder_);
  }

 private:
  [[nodiscard]] WorkPtr enter(Call call) override {
    if (!recorder_->is_on()) return pass_on(call);
    const auto place = recorder_->enter(describe(call));
    return std::make_unique<RecordedWork>(pass_on(call), recorder_, place, call.receive);
  }

  [[nodiscard]] bool is_traced() const noexcept override { return false; }

  [[nodiscard]] WorkPtr pass_on(const Call& call) {
    switch (call.kind) {
      case CallKind::kAllReduce: return inner_->all_reduce(call.receive, call.op);
      case CallKind::kAllGather: return inner_->all_gather(call.send, call.receive, call.counts);
      case CallKind::kReduceScatter:
        return inner_->reduce_scatter(call.send, call.receive, call.counts);
      case CallKind::kAllToAll:
        return inner_->all_to_all(call.send, call.counts, call.receive, call.receive_counts);
      case CallKind::kBroadcast: return inner_->broadcast(call.receive, call.root);
      case CallKind::kBarrier:
      case CallKind::kSplit: break;
    }
    return inner_->barrier();
  }

  std::shared_ptr<Communicator> inner_;
  std::shared_ptr<CallRecorder> recorder_;
};

}  // namespace

void CallRecorder::start() {
  entries_.clear();
  ++num_starts_;
  is_on_ = true;
}

std::vector<RecordedCall> CallRecorder::stop() {
  is_on_ = false;
  ++num_starts_;
  std::vector<RecordedCall> calls;
  for (auto& entry : std::exchange(entries_, {})) {
    if (!entry.complete) {
      throw Error(Errc::kUsage, "what a collective received is not known on the host")
          .with("collective", entry.call.call);
    }
    calls.push_back(std::move(entry.call));
  }
  return calls;
}

CallRecorder::Place CallRecorder::enter(std::string call) {
  entries_.push_back({.call = {.call = std::move(call)}});
  return {num_starts_, entries_.size() - 1};
}

void CallRecorder::complete(const Place& place, ConstBuffer received) {
  if (place.start != num_starts_) return;  // it was entered before the recording began
  auto& entry = entries_.at(place.index);
  const auto* const bytes = static_cast<const std::byte*>(received.data);
  entry.call.received.assign(bytes, bytes + received.count * size_of(received.dtype));
  entry.complete = true;
}

std::shared_ptr<Communicator> record_calls(std::shared_ptr<Communicator> inner,
                                           std::shared_ptr<CallRecorder> recorder) {
  return std::make_shared<RecordingCommunicator>(std::move(inner), std::move(recorder));
}

}  // namespace askos::comm
