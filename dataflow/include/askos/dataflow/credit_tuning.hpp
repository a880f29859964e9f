// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

#include <string>
#include <vector>

namespace askos::dataflow {

/// What became of a change of credit that askos made by itself.
enum class TuningOutcome {
  kPending,  ///< its effect is being measured
  kKept,     ///< the graph is not slower
  kUndone,   ///< the graph was slower, so the edge has its former credit again
  kRefused,  ///< the plan cannot be proved with it; nothing was changed
};

/// Returns the word for it: `pending`, `kept`, ….
[[nodiscard]] std::string_view to_string(TuningOutcome outcome) noexcept;

/// One change of an edge's credit: what spoke for it, what was expected, what came of it.
struct TuningDecision {
  Nanoseconds at{};  ///< age of the session
  int before = 0;
  int after = 0;
  std::string evidence{};      ///< in words
  double measured_per_s = 0;   ///< packets that arrived before the change
  double predicted_per_s = 0;  ///< with it
  double observed_per_s = 0;   ///< what then arrived; 0 while that is not known
  TuningOutcome outcome = TuningOutcome::kPending;
  std::string reason{};  ///< of a refusal: the proof that fails, and the smallest repair
};

/// An edge whose credit follows what is measured.
struct EdgeTuning {
  std::string edge;
  int credit = 0;
  std::string problem{};                    ///< why nothing can be decided now; empty: it can
  std::vector<TuningDecision> decisions{};  ///< the newest 20, oldest first
};

}  // namespace askos::dataflow
