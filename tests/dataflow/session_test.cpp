// SPDX-License-Identifier: Apache-2.0
#include "dataflow/support/engines.hpp"
#include "dataflow/support/stages.hpp"

#include <askos/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <future>
#include <latch>
#include <numeric>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using test::Apply;
using test::Count;
using test::Keep;
using test::kLong;
using test::Number;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SessionTest : public test::EngineTest {};
ASKOS_TEST_ON_BOTH_ENGINES(SessionTest);

Graph chain(const std::shared_ptr<std::vector<Number>>& kept, Number count, int credit) {
  Graph graph("chain");
  auto& source = graph.add<Count>("source", count);
  auto& twice = graph.add<Apply>("twice", [](Number x) { return 2 * x; });
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, twice.in, {.credit = credit});
  graph.connect(twice.out, sink.in, {.credit = credit});
  return graph;
}

std::vector<Number> multiples(Number count, Number factor) {
  std::vector<Number> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  for (auto& number : numbers) number *= factor;
  return numbers;
}

TEST_P(SessionTest, DeliversEveryPacketInOrder) {
  for (const int credit : {1, 2, 64}) {
    const auto kept = test::make_list();
    const auto outcome = run(chain(kept, 3000, credit));
    EXPECT_TRUE(outcome.ok());
    EXPECT_EQ(outcome.num_undelivered, 0);
    EXPECT_EQ(*kept, multiples(3000, 2));
  }
}

TEST_P(SessionTest, DeliversAcrossDedicatedStages) {
  const auto kept = test::make_list();
  Graph graph("dedicated");
  auto& source = graph.add<Count>("source", 3000, Contract{}, Threading::kDedicated);
  auto& same = graph.add<Apply>("same", [](Number x) { return x; });
  auto& sink = graph.add<Keep>("sink", kept, Contract{}, Threading::kDedicated);
  graph.connect(source.out, same.in);
  graph.connect(same.out, sink.in);
  EXPECT_TRUE(run(std::move(graph)).ok());
  EXPECT_EQ(*kept, multiples(3000, 1));
}

TEST_P(SessionTest, JoinsTheWaysOfADiamond) {
  const auto kept = test::make_list();
  Graph graph("diamond");
  auto& source = graph.add<Count>("source", 500);
  auto& left = graph.add<Apply>("left", [](Number x) { return x; });
  auto& right = graph.add<Apply>("right", [](Number x) { return x % 7; });
  auto& join = graph.add<test::Pair>("join");
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, left.in);
  graph.connect(source.out, right.in);
  graph.connect(left.out, join.left);
  graph.connect(right.out, join.right);
  graph.connect(join.out, sink.in);
  EXPECT_TRUE(run(std::move(graph)).ok());
  std::vector<Number> expected;
  for (Number i = 0; i < 500; ++i) expected.push_back(1000 * i + i % 7);
  EXPECT_EQ(*kept, expected);
}

TEST_P(SessionTest, CollectsAsManyPacketsAsThePortSays) {
  const auto kept = test::make_list();
  Graph graph("rates");
  auto& source = graph.add<Count>("source", 12, Contract{.rate = 2});
  auto& sink = graph.add<Keep>("sink", kept, Contract{.rate = 3});
  graph.connect(source.out, sink.in, {.credit = 6});
  const auto outcome = run(std::move(graph));
  EXPECT_EQ(*kept, multiples(12, 1));
  EXPECT_EQ(outcome.num_undelivered, 0);
}

TEST_P(SessionTest, ReportsWhatIsTooFewForALastRun) {
  const auto kept = test::make_list();
  Graph graph("rates");
  auto& source = graph.add<Count>("source", 11);
  auto& sink = graph.add<Keep>("sink", kept, Contract{.rate = 3});
  graph.connect(source.out, sink.in, {.credit = 6});
  const auto outcome = run(std::move(graph));
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(*kept, multiples(9, 1));
  EXPECT_EQ(outcome.num_undelivered, 2);
  EXPECT_THAT(outcome.undelivered_on, ElementsAre("source.out>sink.in"));
}

TEST_P(SessionTest, MergesWhateverComes) {
  const auto kept = test::make_list();
  Graph graph("merge");
  auto& one = graph.add<Count>("one", 300);
  auto& two = graph.add<Count>("two", 200);
  auto& merge = graph.add<test::Merge>("merge");
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(one.out, merge.left);
  graph.connect(two.out, merge.right);
  graph.connect(merge.out, sink.in);
  EXPECT_TRUE(run(std::move(graph)).ok());
  EXPECT_EQ(kept->size(), 500U);
  EXPECT_EQ(std::accumulate(kept->begin(), kept->end(), Number{0}), 300 * 299 / 2 + 200 * 199 / 2);
}

/// Adds what comes back to what comes in.
class Accumulate final : public Stage {
 public:
  In<Number> in{*this, "in"};
  In<Number> back{*this, "back"};
  Out<Number> out{*this, "out"};
  void run(Context& context) override {
    const auto number = context.take(in);
    const auto former = context.take(back);
    const Number sum = *number + (former.payload ? *former : 0);
    context.emit(out, sum, number.meta);
  }
};

TEST_P(SessionTest, RunsACycleThatBeginsWithAnEmptyPacket) {
  const auto kept = test::make_list();
  Graph graph("cycle");
  auto& source = graph.add<Count>("source", 100);
  auto& sum = graph.add<Accumulate>("sum");
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, sum.in);
  graph.connect(sum.out, sum.back, {.initial = 1});
  graph.connect(sum.out, sink.in);
  const auto outcome = run(std::move(graph));
  EXPECT_TRUE(outcome.ok());
  std::vector<Number> expected;
  for (Number i = 0; i < 100; ++i) expected.push_back(i * (i + 1) / 2);
  EXPECT_EQ(*kept, expected);
  EXPECT_THAT(outcome.undelivered_on, ElementsAre("sum.out>sum.back"));
}

/// Takes a few packets and has enough.
class TakeFew final : public Stage {
 public:
  explicit TakeFew(int most) : most_(most) {}
  In<Number> in{*this, "in"};
  void run(Context& context) override {
    (void)context.take(in);
    if (--most_ == 0) context.end();
  }

 private:
  int most_;
};

TEST_P(SessionTest, EndsUpstreamWhenNobodyTakes) {
  Graph graph("pipe");
  auto& source = graph.add<Count>("source", std::numeric_limits<Number>::max());
  auto& same = graph.add<Apply>("same", [](Number x) { return x; });
  auto& few = graph.add<TakeFew>("few", 3);
  graph.connect(source.out, same.in);
  graph.connect(same.out, few.in);
  EXPECT_TRUE(run(std::move(graph)).ok());
}

/// Counts, and emits the count when it is finished.
class EmitAtEnd final : public Stage {
 public:
  In<Number> in{*this, "in"};
  Out<Number> out{*this, "out", {.rate = 0}};
  void run(Context& context) override {
    (void)context.take(in);
    ++count_;
  }
  void finish(Context& context) override { context.emit(out, Number{count_}); }

 private:
  Number count_ = 0;
};

TEST_P(SessionTest, LetsAStageEmitWhenItFinishes) {
  const auto kept = test::make_list();
  Graph graph("finish");
  auto& source = graph.add<Count>("source", 42);
  auto& count = graph.add<EmitAtEnd>("count");
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, count.in);
  graph.connect(count.out, sink.in);
  EXPECT_TRUE(run(std::move(graph)).ok());
  EXPECT_THAT(*kept, ElementsAre(42));
}

TEST_P(SessionTest, RunsSeveralRanksOfOnePlan) {
  std::vector<Graph> ranks;
  std::vector<std::shared_ptr<std::vector<Number>>> kept;
  for (int rank = 0; rank < 3; ++rank) {
    kept.push_back(test::make_list());
    ranks.push_back(chain(kept.back(), 100, 2));
  }
  const auto session = start(Plan(std::move(ranks)), engine());
  ASSERT_TRUE(session->wait(kLong));
  for (const auto& list : kept) EXPECT_EQ(*list, multiples(100, 2));
  const auto status = session->status();
  EXPECT_EQ(status.stages.size(), 9U);
  EXPECT_EQ(status.stages[4].rank, Rank{1});
  EXPECT_EQ(status.stages[4].stage, "twice");
}

TEST_P(SessionTest, DrainStopsSourcesAndDeliversWhatIsInFlight) {
  const auto kept = test::make_list();
  const auto session = begin(chain(kept, std::numeric_limits<Number>::max(), 4));
  (void)session->wait(5ms);
  const auto outcome = session->drain(kLong);
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(outcome.num_undelivered, 0);
  const auto status = session->status();
  EXPECT_EQ(status.state, "done");
  EXPECT_EQ(status.edges[0].num_packets, static_cast<std::int64_t>(kept->size()));
  EXPECT_EQ(*kept, multiples(static_cast<Number>(kept->size()), 2));
}

TEST_P(SessionTest, StopEndsWithTheGivenReason) {
  const auto session = begin(chain(test::make_list(), std::numeric_limits<Number>::max(), 4));
  session->stop(StageFailure{"host", {}, {}, Error(Errc::kCancelled, "enough")});
  const auto outcome = session->wait(kLong);
  ASSERT_TRUE(outcome);
  ASSERT_FALSE(outcome->ok());
  EXPECT_EQ(outcome->failure->error.code(), Errc::kCancelled);
  EXPECT_EQ(session->status().state, "failed");
}

TEST_P(SessionTest, RaisesItsEventWhenItHasEnded) {
  const auto session = begin(chain(test::make_list(), 10, 4));
  pollfd descriptor{.fd = session->event_descriptor(), .events = POLLIN, .revents = 0};
  ASSERT_TRUE(session->wait(kLong));
  EXPECT_EQ(poll(&descriptor, 1, 0), 1);
}

TEST_P(SessionTest, TracesTheRunsOfItsStages) {
  const auto before = steady_clock().now();
  const auto session = begin(chain(test::make_list(), 100, 4));
  ASSERT_TRUE(session->wait(kLong));
  const auto trace = session->trace();
  std::uint32_t runs = 0;
  for (const auto& event : trace.events) {
    EXPECT_GE(event.start_ns, before.count());
    EXPECT_LE(event.end_ns(), steady_clock().now().count());
    if (event.kind == telemetry::TraceKind::kRun && trace.tracks[event.track].name == "twice") {
      runs += event.detail;
    }
  }
  EXPECT_EQ(runs, 100U);
  ASSERT_FALSE(trace.edges.empty());
  EXPECT_EQ(trace.tracks.at(trace.edges.back().producer).name, "twice");
  EXPECT_TRUE(session->trace(steady_clock().now()).events.empty());
}

TEST_P(SessionTest, SeveralSessionsShareAProcess) {
  std::vector<std::future<std::size_t>> sums;
  for (int i = 0; i < 3; ++i) {
    sums.push_back(std::async(std::launch::async, [this] {
      const auto kept = test::make_list();
      EXPECT_TRUE(run(chain(kept, 500, 2)).ok());
      return kept->size();
    }));
  }
  for (auto& sum : sums) EXPECT_EQ(sum.get(), 500U);
}

TEST_P(SessionTest, EndsWhenItIsDestroyed) {
  const auto kept = test::make_list();
  begin(chain(kept, std::numeric_limits<Number>::max(), 4)).reset();
  EXPECT_EQ(*kept, multiples(static_cast<Number>(kept->size()), 2));
}

/// Blocks in `run` until it is let go.
class Stuck final : public Stage {
 public:
  explicit Stuck(std::shared_ptr<std::latch> release) : release_(std::move(release)) {}
  In<Number> in{*this, "in"};
  void run(Context& context) override {
    (void)context.take(in);
    release_->wait();
  }
  [[nodiscard]] Threading threading() const override { return Threading::kDedicated; }

 private:
  std::shared_ptr<std::latch> release_;
};

TEST(SessionTest, NamesTheStageThatLetADrainMissItsDeadline) {
  const auto release = std::make_shared<std::latch>(1);
  Graph graph("stuck");
  auto& source = graph.add<Count>("source", 1000);
  auto& stuck = graph.add<Stuck>("stuck", release);
  graph.connect(source.out, stuck.in);
  const auto session = start(Plan(std::move(graph)));
  while (session->status().edges[0].num_packets < 2) std::this_thread::yield();
  const auto outcome = session->drain(10ms);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.failure->error.code(), Errc::kStalled);
  EXPECT_EQ(outcome.failure->stage, "stuck");
  EXPECT_THAT(outcome.failure->error.what(), HasSubstr("drain missed its deadline"));
  EXPECT_GE(outcome.num_undelivered, 1);
  release->count_down();
  EXPECT_TRUE(session->wait(kLong));
}

}  // namespace
}  // namespace askos::dataflow
