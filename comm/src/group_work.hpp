// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "traced_call.hpp"

#include <askos/base/error.hpp>
#include <askos/telemetry/ledger.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace askos::comm {

/// A collective of a group that moves host memory: `Collective` tells when it is over, `Group`
/// waits for it.
template <typename Group, typename Collective>
class GroupWork final : public TimedWork {
 public:
  GroupWork(std::shared_ptr<Group> group, std::shared_ptr<Collective> collective) noexcept
      : group_(std::move(group)), collective_(std::move(collective)) {}

  ~GroupWork() override {
    try {
      GroupWork::wait();
    } catch (const Error&) {  // the group has failed, as the next wait on it will say
    }
  }

  [[nodiscard]] bool done() const noexcept override { return collective_->is_over(); }
  [[nodiscard]] std::uint64_t finished_at() const noexcept override {
    return collective_->finished_at();
  }

  void wait() override {
    if (collective_->is_over()) {
      group_->wait(*collective_);
    } else {
      const telemetry::ScopedState state(telemetry::State::kWaitComm);
      group_->wait(*collective_);
    }
  }

 private:
  std::shared_ptr<Group> group_;
  std::shared_ptr<Collective> collective_;
};

}  // namespace askos::comm
