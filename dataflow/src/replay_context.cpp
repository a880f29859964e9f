// SPDX-License-Identifier: Apache-2.0
#include "replay_context.hpp"

#include <askos/base/error.hpp>

#include <utility>

namespace askos::dataflow {

void ReplayContext::begin(const RecordedRun& run) {
  run_ = &run;
  taken_.assign(run.inputs.size(), false);
  outputs_.clear();
}

bool ReplayContext::moved_nothing() const noexcept {
  return outputs_.empty() && std::ranges::none_of(taken_, std::identity{});
}

bool ReplayContext::took_all() const noexcept {
  return std::ranges::all_of(taken_, std::identity{});
}

int ReplayContext::num_waiting(const InPort& port) const {
  int number = 0;
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    if (!taken_[i] && run_->inputs[i].port == port.index()) ++number;
  }
  return number;
}

void ReplayContext::wake_at(Nanoseconds when, telemetry::State /*account*/) {
  clock_.sleep_until(when);
}

AnyPacket ReplayContext::take_any(const InPort& port) {
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    const auto& packet = run_->inputs[i];
    if (taken_[i] || packet.port != port.index()) continue;
    taken_[i] = true;
    return {.meta = packet.meta,
            .lease = {},
            .payload = packet.payload ? port.storage()->restore(*packet.payload) : nullptr};
  }
  throw Error(Errc::kCheckFailed, "run takes a packet that the recorded one did not take")
      .with("port", port.name());
}

void ReplayContext::emit_any(const OutPort& port,
                             std::shared_ptr<const void> payload,
                             const PacketMeta& meta) {
  auto& packet = outputs_.emplace_back(RecordedPacket{.port = port.index(), .meta = meta});
  // As the engine does: what the stage does not say, its contract does.
  const auto& contract = port.contract();
  if (packet.meta.host_bytes.value == 0) packet.meta.host_bytes = contract.host_bytes;
  if (packet.meta.device_bytes.value == 0) packet.meta.device_bytes = contract.device_bytes;
  if (payload != nullptr) packet.payload = port.storage()->store(payload.get());
}

}  // namespace askos::dataflow
