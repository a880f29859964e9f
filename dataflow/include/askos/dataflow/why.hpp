// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/id.hpp>
#include <askos/dataflow/plan.hpp>
#include <askos/dataflow/status.hpp>
#include <askos/telemetry/ledger.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

/// What keeps a graph from going faster.
enum class Verdict {
  kLimited,   ///< one root is behind most of the waiting
  kPaced,     ///< that root is a source that waits for the outside: the graph keeps up with it
  kBalanced,  ///< little waiting, or no single root: there is nothing to blame
  kStuck,     ///< stages wait for one another in a circle
  kEnded,     ///< no stage was at work in the window
};

/// Returns the word for it: `limited`, `paced`, ….
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

/// Where waiting ends: a stage in a state that is its own doing, or the scheduler.
struct WhyRoot {
  std::string stage;
  Rank rank;
  telemetry::State state;  ///< the terminal state that it spent most time in
  double share = 0;        ///< of all stall time of the graph, or of the stage that was asked about
  std::string edge{};  ///< not empty: too little credit of this edge is the cause (`wait.credit`)
  int credit = 0;      ///< of that edge now …
  int wanted_credit = 0;  ///< … and the least that would do
};

/// One link of a chain of waits; the last one is the root.
struct WhyStep {
  std::string stage;
  Rank rank;
  telemetry::State state;
  Nanoseconds time{};  ///< in that state, for the edge if there is one
  std::string edge;    ///< what it waited for; empty at the root
};

struct WhyReport {
  Verdict verdict = Verdict::kEnded;
  std::string victim;           ///< the stage that was asked about; empty: the whole graph
  Nanoseconds window{};         ///< what the report covers
  double stalled_fraction = 0;  ///< of the stages' time in the window
  std::vector<WhyRoot> roots;   ///< largest share first
  std::vector<WhyStep> chain;   ///< from the stage that lost most time to the first root
  /// With the first root out of the way, this stage would limit next …
  std::string next_stage;
  /// … and the graph would run at most this many times as fast; 0: not known.
  double speedup_at_most = 0;
  int num_ranks = 1;
};

/// A change that somebody thinks of: a stage so many times as fast, or an edge with another credit.
struct WhatIf {
  std::string stage{};
  double times = 1;
  std::string edge{};
  int credit = 0;
};

/// What a change would bring, going by the averages of the last seconds.
struct Prediction {
  double packets_per_s = 0;  ///< now: runs of a stage at the end of the graph, on the busiest rank
  double predicted_per_s = 0;
  double gain = 0;      ///< predicted over modelled, minus 1
  std::string limit{};  ///< the stage that would be busiest then
};

/// Predicts from the time between two readings. Throws `Errc::kNotFound`, with the nearest name,
/// for a stage or edge that is not there, and `Errc::kUsage` where no fixed rates describe the
/// graph.
[[nodiscard]] Prediction predict(const Plan& plan,
                                 const SessionStatus& before,
                                 const SessionStatus& after,
                                 const WhatIf& change);

/// The credit that an edge should have, and what says so.
struct CreditAdvice {
  int credit = 0;
  std::string why{};  ///< the evidence in words
  double predicted_per_s = 0;
};

/// Finds the least credit of an edge with which the graph would be as fast as with any. Throws as
/// `predict`.
[[nodiscard]] CreditAdvice advise_credit(const Plan& plan,
                                         const SessionStatus& before,
                                         const SessionStatus& after,
                                         std::string_view edge);

/// Attributes the stall time between two readings of a session to its root causes.
///
/// A stage that waits for input waits for the producer of that edge, one that waits for credit
/// waits for the consumer, one that waits in collectives for the ranks that come later, one that
/// waits for a pool for whoever downstream is busy with what is out of it; how the blamed stage
/// itself spent the window decides how blame moves on, until it ends in a state that waits for no
/// other stage. So the blame is an absorbing random walk (Kemeny and Snell, Finite Markov Chains,
/// 1960, chapter III) and the shares are its absorption probabilities, weighted by stall time.
/// Where no stage is near its limit, and a model of the graph says that more credit on an edge
/// would help, that edge is the root.
///
/// `before` may be empty: then the window begins with the session. `stage` restricts the question
/// to one stage (on all its ranks); throws `Errc::kNotFound`, with the nearest name, if there is
/// none of that name.
[[nodiscard]] WhyReport why(const Plan& plan,
                            const SessionStatus& before,
                            const SessionStatus& after,
                            std::string_view stage = {});

/// Prints the chain, one link per line, indented, and what would come next.
[[nodiscard]] std::string to_text(const WhyReport& report);

/// Prints the root in one phrase: `slow busy.cpu 71 %`, or the verdict where there is none.
[[nodiscard]] std::string root_phrase(const WhyReport& report);

}  // namespace askos::dataflow
