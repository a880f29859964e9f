// SPDX-License-Identifier: Apache-2.0
#include "stage_recorder.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <utility>

namespace askos::dataflow {
namespace {

Bytes size_of(const StoredArrays& arrays) {
  Bytes bytes;
  for (const auto& array : arrays) bytes.value += static_cast<std::int64_t>(array.bytes.size());
  return bytes;
}

RecordedPacket record(const Port& port, const PacketMeta& meta, const void* payload) {
  RecordedPacket packet{.port = port.index(), .meta = meta};
  if (payload != nullptr) packet.payload = port.storage()->store(payload);
  return packet;
}

}  // namespace

void StageRecorder::arm(int last) {
  const std::lock_guard lock(mutex_);
  if (last == 0) {
    previous_.reset();
    current_.reset();
  }
  problem_.clear();
  last_.store(last);
}

void StageRecorder::restart() {
  const std::lock_guard lock(mutex_);
  previous_.reset();
  current_.reset();
}

RecordingStatus StageRecorder::status() const {
  const std::lock_guard lock(mutex_);
  RecordingStatus status{.last = last_.load(), .problem = problem_};
  for (const auto* segment : {&previous_, &current_}) {
    if (!*segment) continue;
    status.num_runs += static_cast<int>((*segment)->runs.size());
    status.bytes.value += (*segment)->bytes.value;
  }
  return status;
}

void StageRecorder::copy_into(Recording& recording) const {
  std::shared_ptr<const StoredArrays> state;  // copied when the stage can no longer wait for it
  std::vector<std::shared_ptr<const RecordedRun>> runs;
  {
    const std::lock_guard lock(mutex_);
    const auto& first = previous_ ? previous_ : current_;
    if (first) state = first->state;
    for (const auto* segment : {&previous_, &current_}) {
      if (*segment) runs.insert(runs.end(), (*segment)->runs.begin(), (*segment)->runs.end());
    }
  }
  if (state != nullptr) recording.state = *state;
  const auto last = static_cast<std::size_t>(std::max(last_.load(), 1));
  if (recording.state.empty() && runs.size() > last) {  // nothing leads from run to run
    runs.erase(runs.begin(), runs.end() - static_cast<std::ptrdiff_t>(last));
  }
  for (const auto& run : runs) recording.runs.push_back(*run);
}

bool StageRecorder::begin_segment(int last) {
  {
    const std::lock_guard lock(mutex_);
    if (current_ && current_->runs.size() < static_cast<std::size_t>(last)) return true;
  }
  auto state = stage_.save_state();
  const std::lock_guard lock(mutex_);
  if (!state) return current_.has_value();
  if (current_) previous_ = std::exchange(current_, std::nullopt);
  const auto bytes = size_of(*state);
  current_ = Segment{
      .state = std::make_shared<const StoredArrays>(std::move(*state)), .bytes = bytes, .runs = {}};
  return true;
}

bool StageRecorder::begin_run(std::int64_t number) {
  const int last = last_.load();
  if (last == 0) return false;
  try {
    if (!begin_segment(last)) return false;
  } catch (...) {
    give_up(current_error().what());
    return false;
  }
  run_ = RecordedRun{.number = number};
  run_bytes_ = {};
  stage_.keep_received();
  return true;
}

void StageRecorder::note(std::vector<RecordedPacket>& packets,
                         const Port& port,
                         const PacketMeta& meta,
                         const void* payload) {
  if (!is_on()) return;
  try {
    packets.push_back(record(port, meta, payload));
    if (packets.back().payload) run_bytes_.value += size_of(*packets.back().payload).value;
  } catch (...) {
    give_up(current_error().what());
  }
}

void StageRecorder::note_input(const InPort& port, const AnyPacket& packet) {
  note(run_.inputs, port, packet.meta, packet.payload.get());
}

void StageRecorder::note_output(const OutPort& port, const PacketMeta& meta, const void* payload) {
  note(run_.outputs, port, meta, payload);
}

void StageRecorder::end_run(const std::string& failure) {
  try {
    run_.received = stage_.take_received();
  } catch (...) {
    if (failure.empty()) give_up(current_error().what());
    return;
  }
  if (run_.inputs.empty() && run_.outputs.empty() && failure.empty()) return;
  run_.failure = failure;
  run_bytes_.value += size_of(run_.received).value;
  auto run = std::make_shared<const RecordedRun>(std::exchange(run_, {}));
  bool too_large = false;
  {
    const std::lock_guard lock(mutex_);
    if (!current_) return;  // forgotten meanwhile
    current_->runs.push_back(std::move(run));
    current_->bytes.value += run_bytes_.value;
    const auto before = previous_ ? previous_->bytes.value : 0;
    too_large = before + current_->bytes.value > kMostBytes.value;
  }
  if (too_large) give_up("it took more memory than a recording may");
}

void StageRecorder::give_up(const std::string& problem) {
  arm(0);
  const std::lock_guard lock(mutex_);
  problem_ = problem;
}

}  // namespace askos::dataflow
