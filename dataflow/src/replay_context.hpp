// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/context.hpp>
#include <askos/dataflow/recording.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace askos::dataflow {

/// What a stage sees of the engine while its recorded runs are done again: their packets, a place
/// for what it emits, and a clock that jumps to whatever time somebody waits for.
class ReplayContext final : public Context {
 public:
  explicit ReplayContext(Rank rank) : rank_(rank) {}

  /// Gives the next run's packets.
  void begin(const RecordedRun& run);
  [[nodiscard]] const std::vector<RecordedPacket>& outputs() const noexcept { return outputs_; }
  /// True if the run took and emitted nothing: it was not ready and asked to be run later.
  [[nodiscard]] bool moved_nothing() const noexcept;
  [[nodiscard]] bool took_all() const noexcept;

  [[nodiscard]] int num_waiting(const InPort& port) const override;
  void end() noexcept override {}
  void wake_at(Nanoseconds when, telemetry::State account) override;
  [[nodiscard]] Waker waker() const override { return {}; }
  [[nodiscard]] bool stopping() const noexcept override { return false; }
  [[nodiscard]] Clock& clock() const noexcept override { return clock_; }
  [[nodiscard]] Rank rank() const noexcept override { return rank_; }

 private:
  /// Moves on a little whenever it is read, so that loops until some time end.
  class JumpingClock final : public Clock {
   public:
    [[nodiscard]] Nanoseconds now() const noexcept override {
      return now_ += std::chrono::microseconds(10);
    }
    void sleep_until(Nanoseconds when) override { now_ = std::max(now_, when); }

   private:
    mutable Nanoseconds now_{};
  };

  [[nodiscard]] AnyPacket take_any(const InPort& port) override;
  void emit_any(const OutPort& port,
                std::shared_ptr<const void> payload,
                const PacketMeta& meta) override;

  const Rank rank_;
  mutable JumpingClock clock_;
  const RecordedRun* run_ = nullptr;
  std::vector<bool> taken_;  // of the run's inputs
  std::vector<RecordedPacket> outputs_;
};

}  // namespace askos::dataflow
