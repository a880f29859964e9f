// SPDX-License-Identifier: Apache-2.0
// Whatever order the scheduler picks, actors must give what one thread gives. Both kinds of test
// are needed: ignored credit shows only in the bounds, lost credit only as a graph that never ends.
#include "dataflow/support/stages.hpp"
#include "dataflow/support/stepped_actors.hpp"
#include "serial_session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace askos::dataflow {
namespace {

using test::Apply;
using test::Count;
using test::Keep;
using test::Number;
using test::SteppedActors;
using List = std::shared_ptr<std::vector<Number>>;

constexpr unsigned kSeeds = 200;
constexpr Number kCount = 40;

Graph chain(const List& kept) {
  Graph graph("chain");
  auto& source = graph.add<Count>("source", kCount);
  auto& plus = graph.add<Apply>("plus", [](Number x) { return x + 1; });
  auto& twice = graph.add<Apply>("twice", [](Number x) { return 2 * x; });
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, plus.in, {.credit = 1});
  graph.connect(plus.out, twice.in, {.credit = 2});
  graph.connect(twice.out, sink.in, {.credit = 8});
  return graph;
}

Graph diamond(const List& kept) {
  Graph graph("diamond");
  auto& source = graph.add<Count>("source", kCount);
  auto& left = graph.add<Apply>("left", [](Number x) { return x; });
  auto& right = graph.add<Apply>("right", [](Number x) { return x % 5; });
  auto& join = graph.add<test::Pair>("join");
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, left.in, {.credit = 1});
  graph.connect(source.out, right.in, {.credit = 3});
  graph.connect(left.out, join.left);
  graph.connect(right.out, join.right, {.credit = 1});
  graph.connect(join.out, sink.in);
  return graph;
}

/// Passes `size` packets on at a time.
class Batch final : public Stage {
 public:
  explicit Batch(int size)
      : in(*this, "in", {.rate = size}), out(*this, "out", {.rate = size}), size_(size) {}
  In<Number> in;
  Out<Number> out;
  void run(Context& context) override {
    for (int i = 0; i < size_; ++i) {
      const auto packet = context.take(in);
      context.emit(out, *packet, packet.meta);
    }
  }

 private:
  int size_;
};

/// One way collects four packets at a time, so the other needs credit for them.
Graph uneven_join(const List& kept) {
  Graph graph("uneven_join");
  auto& source = graph.add<Count>("source", kCount, Contract{.rate = 2});
  auto& batch = graph.add<Batch>("batch", 4);
  auto& join = graph.add<test::Pair>("join");
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, batch.in, {.credit = 4});
  graph.connect(source.out, join.right, {.credit = 4});
  graph.connect(batch.out, join.left, {.credit = 4});
  graph.connect(join.out, sink.in, {.credit = 1});
  return graph;
}

class Accumulate final : public Stage {
 public:
  In<Number> in{*this, "in"};
  In<Number> back{*this, "back"};
  Out<Number> out{*this, "out"};
  void run(Context& context) override {
    const auto number = context.take(in);
    const auto former = context.take(back);
    context.emit(out, *number + (former.payload ? *former : 0), number.meta);
  }
};

Graph cycle(const List& kept) {
  Graph graph("cycle");
  auto& source = graph.add<Count>("source", kCount);
  auto& sum = graph.add<Accumulate>("sum");
  auto& half = graph.add<Apply>("half", [](Number x) { return x / 2; });
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, sum.in);
  graph.connect(sum.out, half.in);
  graph.connect(half.out, sum.back, {.initial = 2});
  graph.connect(sum.out, sink.in);
  return graph;
}

using Builder = Graph (*)(const List&);

std::vector<Number> run_serial(Builder build) {
  const auto kept = test::make_list();
  SerialSession session(Plan(build(kept)), steady_clock(), {});
  EXPECT_TRUE(session.wait(std::chrono::seconds(60)));
  return *kept;
}

class Interleaving : public ::testing::TestWithParam<Builder> {};
INSTANTIATE_TEST_SUITE_P(Graphs,
                         Interleaving,
                         ::testing::Values(&chain, &diamond, &uneven_join, &cycle),
                         [](const auto& tested) { return tested.param(test::make_list()).name(); });

TEST_P(Interleaving, MatchesTheSerialEngine) {
  const auto expected = run_serial(GetParam());
  ASSERT_EQ(expected.size(), static_cast<std::size_t>(kCount));
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto kept = test::make_list();
    SteppedActors actors(GetParam()(kept), seed);
    const auto outcome = actors.run();
    ASSERT_TRUE(outcome) << "the graph hangs";
    EXPECT_TRUE(outcome->ok());
    ASSERT_EQ(*kept, expected);
  }
}

TEST_P(Interleaving, HandingStagesOverMakesNoDifference) {
  const auto expected = run_serial(GetParam());
  for (unsigned seed = 0; seed < kSeeds / 4; ++seed) {  // there is less choice
    SCOPED_TRACE(seed);
    const auto kept = test::make_list();
    SteppedActors actors(GetParam()(kept), seed, /*hand_over=*/true);
    if (seed % 2 == 1) {
      for (unsigned i = 0; i < seed; ++i) actors.step();
      actors.execution().request_drain();
    }
    ASSERT_TRUE(actors.run()) << "the graph hangs";
    const auto beginning = expected.begin() + static_cast<std::ptrdiff_t>(kept->size());
    ASSERT_EQ(*kept, std::vector<Number>(expected.begin(), beginning));
    if (seed % 2 == 0) {
      ASSERT_EQ(kept->size(), expected.size());
    }
  }
}

TEST_P(Interleaving, OrderMakesNoDifferenceToTheSerialEngine) {
  const auto expected = run_serial(GetParam());
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto kept = test::make_list();
    SerialSession session(Plan(GetParam()(kept)), steady_clock(),
                          {.runner = {.budget = static_cast<int>(1 + seed % 3)}, .seed = seed});
    ASSERT_TRUE(session.wait(std::chrono::seconds(60)));
    ASSERT_EQ(*kept, expected);
  }
}

TEST_P(Interleaving, DrainsFromAnyState) {
  const auto expected = run_serial(GetParam());
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto kept = test::make_list();
    SteppedActors actors(GetParam()(kept), seed);
    for (unsigned i = 0; i < seed; ++i) actors.step();
    actors.execution().request_drain();
    const auto outcome = actors.run();
    ASSERT_TRUE(outcome) << "the drain hangs";
    const auto beginning = expected.begin() + static_cast<std::ptrdiff_t>(kept->size());
    EXPECT_EQ(*kept, std::vector<Number>(expected.begin(), beginning));
  }
}

TEST_P(Interleaving, StopsFromAnyState) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SteppedActors actors(GetParam()(test::make_list()), seed);
    for (unsigned i = 0; i < seed; ++i) actors.step();
    actors.execution().request_stop(std::nullopt);
    ASSERT_TRUE(actors.run()) << "the stop hangs at seed " << seed;
  }
}

TEST(AnyInterleaving, MergesEveryPacketOnceAndInOrder) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto kept = test::make_list();
    Graph graph("merge");
    auto& even = graph.add<Count>("even", kCount);
    auto& odd = graph.add<Count>("odd", kCount);
    auto& twice = graph.add<Apply>("twice", [](Number x) { return 2 * x; });
    auto& plus = graph.add<Apply>("plus", [](Number x) { return 2 * x + 1; });
    auto& merge = graph.add<test::Merge>("merge");
    auto& sink = graph.add<Keep>("sink", kept);
    graph.connect(even.out, twice.in);
    graph.connect(odd.out, plus.in, {.credit = 1});
    graph.connect(twice.out, merge.left, {.credit = 1});
    graph.connect(plus.out, merge.right);
    graph.connect(merge.out, sink.in, {.credit = 1});
    SteppedActors actors(std::move(graph), seed);
    ASSERT_TRUE(actors.run());
    std::vector<Number> by_parity[2];
    for (const auto number : *kept) by_parity[number % 2].push_back(number / 2);
    std::vector<Number> all(static_cast<std::size_t>(kCount));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(by_parity[0], all);
    EXPECT_EQ(by_parity[1], all);
  }
}

class Dropping : public ::testing::TestWithParam<EdgePolicy> {};
INSTANTIATE_TEST_SUITE_P(Policies,
                         Dropping,
                         ::testing::Values(EdgePolicy::kLatest, EdgePolicy::kDropOldest));

TEST_P(Dropping, KeepsOrderAndCountsWhatItDrops) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto kept = test::make_list();
    Graph graph("dropping");
    auto& source = graph.add<Count>("source", kCount);
    auto& same = graph.add<Apply>("same", [](Number x) { return x; });
    auto& sink = graph.add<Keep>("sink", kept);
    graph.connect(source.out, same.in, {.credit = 2, .policy = GetParam()});
    graph.connect(same.out, sink.in, {.credit = 1});  // blocks, so that packets pile up before
    SteppedActors actors(std::move(graph), seed);
    ASSERT_TRUE(actors.run());
    const auto edge = actors.execution().status().edges[0];
    EXPECT_EQ(edge.num_packets, kCount);
    EXPECT_EQ(static_cast<Number>(kept->size()) + edge.num_dropped, kCount);
    EXPECT_TRUE(std::ranges::is_sorted(*kept));
    EXPECT_EQ(kept->back(), kCount - 1);  // the newest always gets through
  }
}

/// Never takes.
class Idle final : public Stage {
 public:
  In<Number> in{*this, "in"};
  void run(Context& context) override { context.wake_at(Nanoseconds::max()); }
};

TEST(Bounds, AProducerStopsWhenItsEdgeIsFull) {
  for (unsigned seed = 0; seed < kSeeds; ++seed) {
    Graph graph("full");
    auto& source = graph.add<Count>("source", kCount);
    auto& idle = graph.add<Idle>("idle");
    graph.connect(source.out, idle.in, {.credit = 3});
    SteppedActors actors(std::move(graph), seed);
    EXPECT_FALSE(actors.run());
    EXPECT_EQ(actors.execution().status().edges[0].in_flight, 3);
  }
}

}  // namespace
}  // namespace askos::dataflow
