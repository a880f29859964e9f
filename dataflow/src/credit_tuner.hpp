// SPDX-License-Identifier: Apache-2.0
// Keeps the credit of edges where the throughput model wants it, one window of measurement after
// the other:
//
//   observe a window -> change the credit -> let a window pass -> observe a window -> keep or undo
//
// A credit that was undone or refused is not tried again. Windows in which a debugger held
// something are not looked at.
#pragma once

#include <askos/dataflow/credit_tuning.hpp>
#include <askos/dataflow/status.hpp>

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

class Execution;

class CreditTuner {
 public:
  /// Of the graph's clock.
  static constexpr Nanoseconds kWindow = std::chrono::seconds(2);

  explicit CreditTuner(Execution& execution) : execution_(execution) {}
  CreditTuner(const CreditTuner&) = delete;
  CreditTuner& operator=(const CreditTuner&) = delete;

  /// As `Control::tune_credit`.
  TuningDecision start(std::string_view edge,
                       const SessionStatus& before,
                       const SessionStatus& after);
  /// Leaves an edge's credit as it is from now on.
  void stop(std::string_view edge);
  [[nodiscard]] std::vector<EdgeTuning> tuning() const;
  /// Decides what is due; cheap while nothing is.
  void tend();

 private:
  enum class Phase { kObserving, kSettling, kJudging };
  struct Watch {
    EdgeTuning shown;
    Phase phase = Phase::kObserving;
    SessionStatus begin{};  // of the window
    std::set<int> rejected{};
  };

  void look(Watch& watch);
  void decide(Watch& watch,
              const SessionStatus& before,
              const SessionStatus& after,
              bool asked_for);
  void judge(Watch& watch, double observed);
  [[nodiscard]] int credit_of(const std::string& edge) const;

  Execution& execution_;
  mutable std::mutex mutex_;  // guards all below
  std::vector<Watch> watches_;
};

}  // namespace askos::dataflow
