// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hold.hpp"

#include <askos/dataflow/control.hpp>

#include <mutex>
#include <optional>

namespace askos::dataflow {

class Execution;

/// The debugger's side of a running plan.
class SessionControl final : public Control {
 public:
  explicit SessionControl(Execution& execution) : execution_(execution) {}

  void pause(const Debugger& debugger, std::string_view stage) override;
  void resume(const Debugger& debugger, std::string_view stage) override;
  void step(const Debugger& debugger, std::int64_t num_runs, std::string_view stage) override;
  void catch_up(const std::vector<StageTurn>& turns) override;
  [[nodiscard]] HoldStatus hold(std::string_view debugger) override;
  [[nodiscard]] HoldStatus wait_for_hold(Nanoseconds deadline) override;
  bool tend() override;
  [[nodiscard]] Peek peek(const PeekRequest& request) override;
  Breakpoint add_breakpoint(const Debugger& debugger,
                            std::string_view edge,
                            std::string_view when,
                            std::optional<Rank> rank,
                            std::optional<int> number) override;
  [[nodiscard]] std::vector<Breakpoint> breakpoints() const override;
  void remove_breakpoints(std::optional<int> number) override;
  CreditChange change_credit(std::string_view edge, int credit) override;
  TuningDecision tune_credit(std::string_view edge,
                             const SessionStatus& before,
                             const SessionStatus& after) override;
  [[nodiscard]] std::vector<EdgeTuning> tuning() const override;
  StageChange change_argument(std::string_view stage,
                              const std::string& argument,
                              const Argument& value) override;
  RecordingStatus record(std::string_view stage, Rank rank, int last) override;
  [[nodiscard]] RecordingStatus recording_status(std::string_view stage, Rank rank) const override;
  [[nodiscard]] std::shared_ptr<const Recording> take_recording(std::string_view stage,
                                                                Rank rank) const override;
  [[nodiscard]] int keep_recording(std::shared_ptr<const Recording> recording) override;
  [[nodiscard]] std::shared_ptr<const Recording> kept_recording(int number) const override;
  void trace_operators(Nanoseconds duration) override;
  void drain(Nanoseconds deadline) override;

 private:
  Execution& execution_;
  std::mutex mutex_;  // guards all below
  std::optional<Nanoseconds> drain_until_;
  std::optional<Nanoseconds> operators_until_;
  std::shared_ptr<void> operators_;  // traced while it lives; may point nowhere
};

}  // namespace askos::dataflow
