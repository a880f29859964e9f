// SPDX-License-Identifier: Apache-2.0
#include "traced_call.hpp"

#include <askos/telemetry/ledger.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace askos::comm {
namespace {

/// FNV-1a (Fowler, Noll, Vo; RFC 9923): the same number in every process, whatever its library.
std::uint64_t hash(std::string_view text) noexcept {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) {
    value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return value;
}

class TracedWork final : public Work {
 public:
  TracedWork(WorkPtr work, const TracedCall& call) noexcept : work_(std::move(work)), call_(call) {}

  ~TracedWork() override {
    if (is_recorded_) {
      return;
    }
    try {
      TracedWork::wait();
    } catch (...) {  // the group has failed, as the next wait on it will say
    }
  }

  [[nodiscard]] bool done() const noexcept override { return work_->done(); }

  void wait() override {
    work_->wait();
    record_end();
  }

  /// The stream waits, not the host: what is recorded ends where the host is let go.
  void wait_on(Stream stream) override {
    work_->wait_on(stream);
    record_end();
  }

 private:
  void record_end() {
    if (std::exchange(is_recorded_, true)) {
      return;
    }
    const auto* timed = dynamic_cast<const TimedWork*>(work_.get());
    const auto finished = timed == nullptr ? 0 : timed->finished_at();
    call_.record(finished != 0 ? finished : telemetry::ticks());
  }

  WorkPtr work_;
  TracedCall call_;
  bool is_recorded_ = false;
};

}  // namespace

TracedCall::TracedCall(CallKind kind, const std::string& group, std::uint32_t sequence)
    : kind_(kind), group_(hash(group)), sequence_(sequence) {}

WorkPtr TracedCall::follow(WorkPtr work) const {
  return std::make_unique<TracedWork>(std::move(work), *this);
}

void TracedCall::record(std::uint64_t ended) const noexcept {
  telemetry::record_collective(static_cast<std::uint8_t>(kind_), group_, sequence_, began_,
                               std::max(began_, ended));
}

}  // namespace askos::comm
