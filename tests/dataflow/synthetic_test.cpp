// SPDX-License-Identifier: Apache-2.0
#include "stepping_clock.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/session.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace askos::dataflow::synthetic {
namespace {

using namespace std::chrono_literals;

constexpr int kDraws = 100'000;

std::vector<double> draw(Distribution distribution, double spread = 0, std::int64_t seed = 1) {
  Service service({.time = 1ms, .distribution = distribution, .spread = spread, .seed = seed});
  std::vector<double> milliseconds;
  for (int i = 0; i < kDraws; ++i) {
    milliseconds.push_back(static_cast<double>(service.draw().count()) * 1e-6);
  }
  return milliseconds;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// Fraction of values above `limit`.
double tail(const std::vector<double>& values, double limit) {
  return static_cast<double>(std::ranges::count_if(values, [=](double v) { return v > limit; })) /
         static_cast<double>(values.size());
}

TEST(Service, DrawsTheDistributionItSays) {
  EXPECT_EQ(draw(Distribution::kConstant), std::vector<double>(kDraws, 1.0));
  // Tolerances: five standard errors of 100 000 draws.
  EXPECT_NEAR(mean(draw(Distribution::kNormal)), 1, 5 * 0.25 / 316);
  EXPECT_NEAR(tail(draw(Distribution::kNormal), 1.25), 0.1587, 0.006);  // above one deviation
  EXPECT_NEAR(mean(draw(Distribution::kLognormal, 1)), 1, 5 * 1.31 / 316);
  EXPECT_NEAR(tail(draw(Distribution::kLognormal, 1), std::exp(-0.5)), 0.5, 0.008);  // the median
  const auto pareto = draw(Distribution::kPareto, 1.5);
  EXPECT_GE(*std::ranges::min_element(pareto), 1.0 / 3 - 1e-6);  // mean * (index - 1) / index
  EXPECT_NEAR(tail(pareto, 10), std::pow(30, -1.5), 0.0013);
  EXPECT_LE(*std::ranges::max_element(pareto), 1000);
}

TEST(Service, RepeatsWithItsSeed) {
  EXPECT_EQ(draw(Distribution::kPareto, 0, 7), draw(Distribution::kPareto, 0, 7));
  EXPECT_NE(draw(Distribution::kPareto, 0, 7), draw(Distribution::kPareto, 0, 8));
}

/// Runs a graph to its end on virtual time; returns how long that took.
Nanoseconds run(Graph graph, const std::function<void(const Outcome&)>& look = {}) {
  SteppingClock clock;
  const auto session =
      start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock});
  const auto outcome = session->wait(1h);
  EXPECT_TRUE(outcome.has_value());
  if (look) {
    look(*outcome);
  } else {
    EXPECT_TRUE(outcome->ok());
    EXPECT_EQ(outcome->num_undelivered, 0);
  }
  return clock.now();
}

TEST(Source, PausesBetweenBursts) {
  Graph graph("burst");
  auto& source = graph.add<Source>(
      "source", SourceOptions{.count = 25, .interval = 1ms, .burst = 10, .pause = 100ms});
  auto& sink = graph.add<Sink>("sink", SinkOptions{.check = true});
  graph.connect(source.out, sink.in);
  // Two full bursts of nine intervals, their pauses, and four intervals.
  EXPECT_EQ(run(std::move(graph), [&](const Outcome&) { EXPECT_EQ(sink.num_packets(), 25); }),
            2 * (9ms + 100ms) + 4ms);
}

TEST(Work, SleepsWithoutHoldingUpOthers) {
  Graph graph("chain");
  auto& source = graph.add<Source>("source", SourceOptions{.count = 100});
  auto& a = graph.add<Work>("a", WorkOptions{.service = {.time = 5ms}});
  auto& b = graph.add<Work>("b", WorkOptions{.service = {.time = 5ms}});
  auto& sink = graph.add<Sink>("sink", SinkOptions{.service = {.time = 5ms}});
  graph.connect(source.out, a.in);
  graph.connect(a.out, b.in);
  graph.connect(b.out, sink.in);
  // On one thread, the three stages still sleep side by side: 100 packets, two stages to fill.
  EXPECT_EQ(run(std::move(graph)), 102 * 5ms);
}

TEST(Work, ServesABatchAtOnce) {
  Graph graph("batch");
  auto& source = graph.add<Source>("source", SourceOptions{.count = 12});
  auto& work = graph.add<Work>("work", WorkOptions{.service = {.time = 5ms}, .batch = 4});
  auto& sink = graph.add<Sink>("sink", SinkOptions{.check = true});
  graph.connect(source.out, work.in, {.credit = 4});
  graph.connect(work.out, sink.in, {.credit = 4});
  EXPECT_EQ(run(std::move(graph), [&](const Outcome&) { EXPECT_EQ(sink.num_packets(), 12); }),
            3 * 5ms);
}

TEST(Work, LosesOnlyThePacketItIsToldToFailAt) {
  Graph graph("fault");
  auto& source = graph.add<Source>("source", SourceOptions{.count = 20});
  auto& work = graph.add<Work>("work", WorkOptions{.service = {.time = 1ms}, .fault_at = 7});
  auto& sink = graph.add<Sink>("sink", SinkOptions{.check = true});
  graph.configure(work, {.on_failure = FailurePolicy::kSkip});
  graph.connect(source.out, work.in);
  graph.connect(work.out, sink.in);
  run(std::move(graph), [&](const Outcome& outcome) {
    EXPECT_TRUE(outcome.ok());
    ASSERT_EQ(outcome.skipped.size(), 1U);
    EXPECT_EQ(outcome.skipped[0].sample, SampleId{6});
    EXPECT_EQ(sink.num_packets(), 19);
  });
}

/// source -> route -> (two ways) -> merge -> sink
TEST(Route, LosesNothingWhicheverWayPacketsTake) {
  for (const bool by_sample : {false, true}) {
    std::uint64_t expected = 0;
    for (const bool direct : {true, false}) {
      Graph graph("routes");
      auto& source = graph.add<Source>("source", SourceOptions{.count = 50, .seed = 3});
      auto& sink = graph.add<Sink>("sink", SinkOptions{.check = true});
      if (direct) {
        graph.connect(source.out, sink.in);
      } else {
        auto& route = graph.add<Route>("route", ForkOptions{.ways = 3}, by_sample);
        auto& merge = graph.add<Merge>("merge", ForkOptions{.ways = 3});
        graph.connect(source.out, route.in);
        for (std::size_t way = 0; way < 3; ++way) {
          graph.connect(route.out[way], merge.in[way]);
        }
        graph.connect(merge.out, sink.in);
      }
      run(std::move(graph), [&](const Outcome& outcome) {
        EXPECT_TRUE(outcome.ok());
        EXPECT_EQ(sink.num_packets(), 50);
        if (direct) expected = sink.checksum();
        EXPECT_EQ(sink.checksum(), expected);
        EXPECT_NE(expected, 0U);
      });
    }
  }
}

TEST(Join, PassesOnThePayloadThatIsNotEmpty) {
  Graph graph("loop");
  auto& source = graph.add<Source>("source", SourceOptions{.count = 30});
  auto& join = graph.add<Join>("join", ForkOptions{});
  auto& copy = graph.add<FanOut>("copy", ForkOptions{});
  auto& sink = graph.add<Sink>("sink", SinkOptions{.check = true});
  graph.connect(copy.out[1], join.in[0], {.credit = 2, .initial = 1});
  graph.connect(source.out, join.in[1]);
  graph.connect(join.out, copy.in);
  graph.connect(copy.out[0], sink.in);
  run(std::move(graph), [&](const Outcome& outcome) {
    EXPECT_TRUE(outcome.ok());
    EXPECT_EQ(sink.num_packets(), 30);
    EXPECT_NE(sink.checksum(), 0U);
  });
}

/// Changes a byte of what it passes on.
class Spoiler final : public Stage {
 public:
  In<Blob> in{*this, "in"};
  Out<Blob> out{*this, "out"};

  void run(Context& context) override {
    const auto packet = context.take(in);
    Blob spoiled = *packet;
    spoiled.bytes[5] ^= std::byte{1};
    context.emit(out, std::move(spoiled), packet.meta);
  }
};

TEST(Sink, NoticesAChangedByte) {
  Graph graph("spoiled");
  auto& source = graph.add<Source>("source", SourceOptions{.count = 3, .bytes = Bytes{13}});
  auto& spoiler = graph.add<Spoiler>("spoiler");
  auto& sink = graph.add<Sink>("sink", SinkOptions{.check = true});
  graph.connect(source.out, spoiler.in);
  graph.connect(spoiler.out, sink.in);
  run(std::move(graph), [&](const Outcome& outcome) {
    ASSERT_TRUE(outcome.failure.has_value());
    EXPECT_EQ(outcome.failure->error.code(), Errc::kCorruptData);
  });
}

}  // namespace
}  // namespace askos::dataflow::synthetic
