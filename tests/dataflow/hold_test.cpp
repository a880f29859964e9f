// SPDX-License-Identifier: Apache-2.0
#include "dataflow/support/engines.hpp"
#include "dataflow/support/error_of.hpp"
#include "dataflow/support/meeting.hpp"
#include "dataflow/support/stages.hpp"

#include <askos/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using test::Apply;
using test::Count;
using test::error_of;
using test::Keep;
using test::kLong;
using test::Number;
using List = std::shared_ptr<std::vector<Number>>;

constexpr Debugger kMe{.name = "me", .lease = 10min};

Graph chain(const List& kept, Number count) {
  Graph graph("chain");
  auto& source = graph.add<Count>("source", count);
  auto& plus = graph.add<Apply>("plus", [](Number x) { return x + 1; });
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, plus.in);
  graph.connect(plus.out, sink.in);
  return graph;
}

std::vector<Number> numbers(Number first, Number count) {
  std::vector<Number> list(static_cast<std::size_t>(count));
  std::iota(list.begin(), list.end(), first);
  return list;
}

std::vector<std::int64_t> runs_of(const HoldStatus& hold) {
  std::vector<std::int64_t> runs;
  for (const auto& stage : hold.stages) runs.push_back(stage.num_runs);
  return runs;
}

/// Waits until the stages have done some runs.
void wait_for_runs(const Session& session, std::int64_t runs) {
  const auto deadline = steady_clock().now() + kLong;
  while (session.status().stages.back().num_runs < runs && steady_clock().now() < deadline) {
    std::this_thread::yield();
  }
}

/// Lets the serial engine work until the stages have done `runs` and are held, and once more: they
/// go no further.
std::vector<std::int64_t> work_until(Session& session, const std::vector<std::int64_t>& runs) {
  const auto deadline = steady_clock().now() + kLong;
  const auto arrived = [&] {
    const auto hold = session.control().hold();
    return runs_of(hold) == runs && hold.state == HoldState::kPaused;
  };
  while (!arrived() && steady_clock().now() < deadline) (void)session.wait(1us);
  (void)session.wait(1us);
  return runs_of(session.control().hold());
}

TEST(Hold, MayBeginBeforeAnyStageHasRunAndBeTakenByAnyDebugger) {
  const auto kept = test::make_list();
  const auto session = start(Plan(chain(kept, 20)), {.paused = true});
  auto& control = session->control();
  const auto paused = control.wait_for_hold(kLong);
  ASSERT_EQ(paused.state, HoldState::kPaused);
  EXPECT_EQ(runs_of(paused), std::vector<std::int64_t>(3, 0));
  control.step(kMe, 2);
  EXPECT_EQ(runs_of(control.wait_for_hold(kLong)), std::vector<std::int64_t>(3, 2));
  control.resume(kMe);
  EXPECT_TRUE(session->wait(kLong));
  EXPECT_EQ(*kept, numbers(1, 20));
}

TEST(Hold, KeepsEveryStageFromRunningUntilItResumes) {
  const auto kept = test::make_list();
  const auto session = start(Plan(chain(kept, 200'000)));
  wait_for_runs(*session, 100);
  auto& control = session->control();
  control.pause(kMe);
  const auto paused = control.wait_for_hold(kLong);
  ASSERT_EQ(paused.state, HoldState::kPaused);
  EXPECT_EQ(paused.reason, "pause");
  EXPECT_EQ(paused.debugger, "me");
  for (const auto& stage : paused.stages) {
    EXPECT_TRUE(stage.held) << stage.stage;
    EXPECT_EQ(stage.may_run, 0) << stage.stage;
    EXPECT_EQ(stage.state, telemetry::State::kPaused) << stage.stage;
  }
  EXPECT_FALSE(session->wait(Nanoseconds::zero()).has_value());
  EXPECT_EQ(runs_of(control.hold()), runs_of(paused));
  control.resume(kMe);
  ASSERT_TRUE(session->wait(kLong).has_value());
  EXPECT_EQ(*kept, numbers(1, 200'000));
  EXPECT_EQ(control.hold().state, HoldState::kRunning);
}

TEST(Hold, StepsEveryStageByTheSameNumberOfRuns) {
  for (const auto kind : {EngineKind::kActor, EngineKind::kSerial}) {
    const auto kept = test::make_list();
    const auto session = start(Plan(chain(kept, 1000)), {.kind = kind});
    auto& control = session->control();
    control.pause(kMe);
    const auto settle = [&] {
      for (auto hold = control.hold();; hold = control.hold()) {
        if (hold.state == HoldState::kPaused) return hold;
        (void)session->wait(1us);
      }
    };
    auto before = runs_of(settle());
    for (const int count : {1, 5, 2}) {
      control.step(kMe, count);
      const auto after = runs_of(settle());
      for (std::size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(after[i], before[i] + count) << i;
      }
      before = after;
    }
    control.resume(kMe);
    ASSERT_TRUE(session->wait(kLong).has_value());
    EXPECT_EQ(*kept, numbers(1, 1000));
  }
}

TEST(Hold, OfOneStageLetsTheOthersFillTheirEdges) {
  const auto kept = test::make_list();
  const auto session = start(Plan(chain(kept, 1000)), {.kind = EngineKind::kSerial});
  auto& control = session->control();
  control.pause(kMe, "plus");
  EXPECT_THAT(work_until(*session, {2, 0, 0}), ::testing::ElementsAre(2, 0, 0));  // two credits
  EXPECT_EQ(control.hold().state, HoldState::kPaused);
  control.step(kMe, 3, "plus");
  EXPECT_THAT(work_until(*session, {5, 3, 3}), ::testing::ElementsAre(5, 3, 3));
  EXPECT_EQ(control.hold().state, HoldState::kPaused);
  control.resume(kMe, "plus");
  EXPECT_EQ(control.hold().state, HoldState::kRunning);
  ASSERT_TRUE(session->wait(kLong).has_value());
  EXPECT_EQ(*kept, numbers(1, 1000));
}

TEST(Hold, CountsItsTimeAsPausedAndBalances) {
  const auto session = start(Plan(chain(test::make_list(), 1'000'000)));
  wait_for_runs(*session, 10);
  session->control().pause(kMe);
  ASSERT_EQ(session->control().wait_for_hold(kLong).state, HoldState::kPaused);
  const auto before = session->status();
  const auto after = session->status();
  for (std::size_t i = 0; i < after.stages.size(); ++i) {
    const auto& then = before.stages[i].ledger;
    const auto& now = after.stages[i].ledger;
    EXPECT_EQ(now.in(telemetry::State::kPaused)-then.in(telemetry::State::kPaused),
              now.at - then.at);
    const auto sum = std::accumulate(now.times.begin(), now.times.end(), std::int64_t{0});
    EXPECT_EQ(sum, (now.at - now.opened).count());
  }
  session->stop();
}

TEST(Hold, BelongsToOneDebuggerUntilAnotherTakesItOver) {
  const auto session = start(Plan(chain(test::make_list(), 1'000'000'000)));
  auto& control = session->control();
  control.pause(kMe);
  const Debugger other{.name = "other", .lease = 1min};
  EXPECT_THAT(error_of([&] { control.resume(other); }),
              ::testing::StartsWith("graph is held by another debugger: debugger=me, lease_left="));
  EXPECT_NE(control.hold("other").state, HoldState::kRunning);
  control.pause({.name = "other", .lease = 1min, .take_over = true});
  EXPECT_EQ(control.hold().debugger, "other");
  EXPECT_THAT(error_of([&] { control.step(kMe, 1); }), ::testing::HasSubstr("graph is "));
  control.resume(other);
  EXPECT_EQ(control.hold().state, HoldState::kRunning);
  session->stop();
}

TEST(Hold, EndsWithTheLeaseOfADebuggerThatIsGone) {
  const auto kept = test::make_list();
  const auto session = start(Plan(chain(kept, 1000)));
  session->control().pause({.name = "gone", .lease = 1ns});
  EXPECT_EQ(session->control().hold().state, HoldState::kRunning);
  ASSERT_TRUE(session->wait(kLong).has_value());
  EXPECT_EQ(*kept, numbers(1, 1000));
}

TEST(Hold, EndsWhenTheSessionDrainsOrStops) {
  for (const bool drain : {true, false}) {
    const auto session = start(Plan(chain(test::make_list(), 1'000'000'000)));
    session->control().pause(kMe);
    ASSERT_EQ(session->control().wait_for_hold(kLong).state, HoldState::kPaused);
    if (drain) {
      EXPECT_TRUE(session->drain(kLong).ok());
    } else {
      session->stop();
      EXPECT_TRUE(session->wait(kLong).has_value());
    }
    EXPECT_THAT(error_of([&] { session->control().pause(kMe); }),
                "graph has ended, there is nothing to hold");
  }
}

TEST(Hold, RefusesWhatMakesNoSense) {
  const auto session = start(Plan(chain(test::make_list(), 1'000'000'000)));
  auto& control = session->control();
  EXPECT_EQ(error_of([&] { control.pause(kMe, "pluss"); }),
            "no stage of that name: stage=pluss, nearest=plus");
  EXPECT_EQ(error_of([&] { control.step(kMe, 1); }), "nothing is paused, so nothing can step");
  EXPECT_EQ(error_of([&] { control.pause({.name = "me", .lease = 0s}); }),
            "lease is out of range: expected='more than 0 s, at most 24 h', found='0 s'");
  control.pause(kMe, "plus");
  (void)control.wait_for_hold(kLong);
  EXPECT_EQ(error_of([&] { control.step(kMe, 1, "sink"); }), "stage is not paused: stage=sink");
  EXPECT_EQ(error_of([&] { control.step(kMe, 0); }), "number of runs is out of range: count=0");
  session->stop();
}

/// Per rank: numbers, summed over the ranks, and kept.
std::vector<Graph> reducing(const std::vector<List>& kept, Number count) {
  auto ranks = comm::make_local_group(static_cast<int>(kept.size()), {.deadline = 20s});
  std::vector<Graph> graphs;
  for (std::size_t rank = 0; rank < kept.size(); ++rank) {
    auto& graph = graphs.emplace_back("reducing");
    auto& source = graph.add<Count>("source", count);
    auto& first = graph.add<test::AllReduce>("first", std::move(ranks[rank]));
    auto& plus = graph.add<Apply>("plus", [](Number x) { return x + 1; });
    auto& sink = graph.add<Keep>("sink", kept[rank]);
    graph.connect(source.out, first.in, {.credit = 3});
    graph.connect(first.out, plus.in);
    graph.connect(plus.out, sink.in);
  }
  return graphs;
}

TEST(Hold, StopsRanksAfterTheSameCollective) {
  constexpr Number kCount = 3000;
  std::vector<List> kept{test::make_list(), test::make_list(), test::make_list()};
  const auto session = start(Plan(reducing(kept, kCount)));
  auto& control = session->control();
  for (const std::string stage : {"", "source", "first", "plus", ""}) {
    control.pause(kMe, stage);
    const auto paused = control.wait_for_hold(kLong);
    ASSERT_EQ(paused.state, HoldState::kPaused) << stage;
    std::map<std::string, std::set<std::int64_t>> runs;
    for (const auto& entry : paused.stages) {
      if (entry.held) runs[entry.stage].insert(entry.num_runs);
    }
    for (const auto& [name, different] : runs) {
      const bool must_be_level = name == "first" || name == stage;
      if (must_be_level) {
        EXPECT_EQ(different.size(), 1U) << name << " of " << stage;
      }
    }
    if (stage.empty()) {
      control.step(kMe, 7);
      EXPECT_EQ(control.wait_for_hold(kLong).state, HoldState::kPaused);
    }
    control.resume(kMe);
  }
  const auto outcome = session->wait(kLong);
  ASSERT_TRUE(outcome.has_value());
  ASSERT_TRUE(outcome->ok()) << outcome->failure->error.what();
  for (const auto& list : kept) {
    ASSERT_EQ(list->size(), static_cast<std::size_t>(kCount));
    for (Number i = 0; i < kCount; ++i) EXPECT_EQ((*list)[static_cast<std::size_t>(i)], 3 * i + 1);
  }
}

}  // namespace
}  // namespace askos::dataflow
