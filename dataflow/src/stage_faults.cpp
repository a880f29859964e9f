// SPDX-License-Identifier: Apache-2.0
#include "stage_faults.hpp"

#include <askos/base/error.hpp>

#include <cerrno>
#include <cstring>
#include <utility>

namespace askos::dataflow {
namespace {

[[noreturn]] void fail(const Fault& fault) {
  const bool full = fault.kind == FaultKind::kDiskFull;
  throw Error(Errc::kEnvironment, full ? "disk full" : "I/O error")
      .with("reason", std::strerror(full ? ENOSPC : EIO))
      .with("injected", to_string(fault.kind));
}

}  // namespace

std::unique_ptr<StageFaults> StageFaults::make(const std::vector<Fault>& faults,
                                               int rank,
                                               Nanoseconds start) {
  std::vector<FaultTrigger> triggers;
  for (const auto& fault : faults) {
    if (fault.operation.empty() && fault.rank.value_or(rank) == rank) {
      triggers.emplace_back(fault, rank);
    }
  }
  if (triggers.empty()) return nullptr;
  return std::unique_ptr<StageFaults>(new StageFaults(std::move(triggers), start));
}

StageFaults::StageFaults(std::vector<FaultTrigger> triggers, Nanoseconds start)
    : triggers_(std::move(triggers)), start_(start) {}

std::optional<Nanoseconds> StageFaults::before_run(Nanoseconds now) {
  if (!std::exchange(counted_, true)) {
    damages_.clear();
    const Fault* failure = nullptr;
    for (auto& trigger : triggers_) {
      if (!trigger.strikes(now - start_)) continue;
      switch (trigger.fault().kind) {
        case FaultKind::kKill: kill_this_process();
        case FaultKind::kHang: held_until_ = Nanoseconds::max(); break;
        case FaultKind::kSlow: held_until_ = now + trigger.fault().delay; break;
        case FaultKind::kIoError:
        case FaultKind::kDiskFull: failure = &trigger.fault(); break;
        case FaultKind::kCorrupt:
        case FaultKind::kNan: damages_.push_back(&trigger); break;
      }
    }
    if (failure != nullptr) {
      counted_ = false;  // a source that failed has moved nothing, yet its next run is another one
      fail(*failure);
    }
  }
  if (held_until_ && now >= *held_until_) held_until_.reset();
  return held_until_;
}

void StageFaults::after_run(bool moved) noexcept {
  if (moved) counted_ = false;
}

std::shared_ptr<const void> StageFaults::pass(const OutPort& port,
                                              std::shared_ptr<const void> payload) {
  for (auto* trigger : damages_) {
    if (payload == nullptr || port.damage() == nullptr) break;
    if (auto changed = port.damage()(payload.get(), trigger->fault().kind, trigger->draw())) {
      payload = std::move(changed);
    }
  }
  return payload;
}

}  // namespace askos::dataflow
