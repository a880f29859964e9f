// SPDX-License-Identifier: Apache-2.0
// Credit that follows what is measured, on virtual time: explained, and undone when worse.
#include "dataflow/stepping_clock.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/session.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* kEdge = "first.out>second.in";

/// source -> first (5 ms) -> second (5 ms) -> sink; `kEdge` begins with one credit, so that the two
/// take turns.
class CreditTuning : public ::testing::Test {
 protected:
  explicit CreditTuning(const PlanLimits& limits = {}) {
    Graph graph("turns");
    auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{});
    const synthetic::WorkOptions work{.service = {.time = 5ms}, .bytes = Bytes{1024}};
    auto& first = graph.add<synthetic::Work>("first", work);
    auto& second = graph.add<synthetic::Work>("second", work);
    auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{});
    graph.connect(source.out, first.in);
    graph.connect(first.out, second.in, {.credit = 1});
    graph.connect(second.out, sink.in);
    session_ =
        start(Plan(std::move(graph), limits), {.kind = EngineKind::kSerial, .clock = &clock_});
  }
  ~CreditTuning() override { session_->stop(); }

  [[nodiscard]] Control& control() const { return session_->control(); }
  /// Lets virtual time pass, with somebody who tends.
  void pass(Nanoseconds time) {
    for (Nanoseconds passed{}; passed < time; passed += 100ms) {
      (void)session_->wait(100ms);
      control().tend();
    }
  }
  TuningDecision tune() {
    const auto before = session_->status();
    (void)session_->wait(2s);
    return control().tune_credit(kEdge, before, session_->status());
  }
  [[nodiscard]] EdgeTuning tuned() const { return control().tuning().at(0); }

  SteppingClock clock_;
  std::unique_ptr<Session> session_;
};

TEST_F(CreditTuning, GivesWhatIsAsFastAsAnyAndSaysWhatCameOfIt) {
  const auto decision = tune();
  EXPECT_EQ(decision.before, 1);
  EXPECT_EQ(decision.after, 2);
  EXPECT_NEAR(decision.measured_per_s, 100, 2);
  EXPECT_NEAR(decision.predicted_per_s, 200, 4);
  EXPECT_THAT(decision.evidence, HasSubstr("going by mean times per run"));
  EXPECT_EQ(decision.outcome, TuningOutcome::kPending);
  pass(5s);
  ASSERT_EQ(tuned().decisions.size(), 1U);
  const auto kept = tuned().decisions.front();
  EXPECT_EQ(kept.outcome, TuningOutcome::kKept);
  EXPECT_NEAR(kept.observed_per_s, 200, 4);
  EXPECT_EQ(tuned().credit, 2);
}

TEST_F(CreditTuning, UndoesWhatMadeTheGraphSlowerAndDoesNotTryItAgain) {
  (void)tune();
  pass(100ms);
  ASSERT_EQ(tuned().credit, 2);
  // As if the change had cost what no model knows: the graph is slower with it.
  (void)control().change_argument("second", "service", "25 ms");
  pass(5s);
  const auto undone = tuned().decisions.front();
  EXPECT_EQ(undone.outcome, TuningOutcome::kUndone);
  EXPECT_LT(undone.observed_per_s, 50);
  pass(200ms);
  EXPECT_EQ(tuned().credit, 1);
  (void)control().change_argument("second", "service", "5 ms");
  pass(9s);
  EXPECT_EQ(tuned().credit, 1) << "two was undone";
  EXPECT_EQ(tuned().decisions.size(), 1U);
}

TEST_F(CreditTuning, FollowsWhatTheGraphDoesLater) {
  (void)control().change_argument("first", "service", "0 s");
  (void)tune();
  pass(5s);
  EXPECT_EQ(tuned().credit, 1) << "a first stage without work has nothing to do ahead";
  (void)control().change_argument("first", "service", "5 ms");
  pass(8s);
  EXPECT_EQ(tuned().credit, 2);
}

TEST_F(CreditTuning, EndsWhenTheEdgeIsGivenANumber) {
  (void)tune();
  (void)control().change_credit(kEdge, 3);
  EXPECT_TRUE(control().tuning().empty());
  pass(5s);
  EXPECT_EQ(session_->status().edges.at(1).credit, 3);
}

TEST_F(CreditTuning, WindowsInWhichADebuggerHoldsSayNothing) {
  (void)tune();
  pass(100ms);
  control().pause({.name = "me"});
  (void)session_->wait(20ms);
  ASSERT_EQ(control().hold().state, HoldState::kPaused);
  clock_.sleep_until(clock_.now() + 6s);
  control().tend();
  EXPECT_EQ(tuned().decisions.front().outcome, TuningOutcome::kPending);
  control().resume({.name = "me"});
  pass(5s);
  EXPECT_EQ(tuned().decisions.front().outcome, TuningOutcome::kKept);
}

class TightCreditTuning : public CreditTuning {
 protected:
  TightCreditTuning() : CreditTuning({.host = Bytes{5 * 1024}}) {}  // as much as is in flight now
};

TEST_F(TightCreditTuning, IsRefusedWhereThePlanCannotBeProved) {
  try {
    (void)tune();
    FAIL() << "must be refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kPlanRefused);
  }
  EXPECT_TRUE(control().tuning().empty());
  EXPECT_EQ(session_->status().edges.at(1).credit, 1);
}

}  // namespace
}  // namespace askos::dataflow
