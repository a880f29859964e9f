// SPDX-License-Identifier: Apache-2.0
// The graphs of examples/graphs on virtual time, with a slow stage at every position in turn.
#include "stepping_clock.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/graph_file.hpp>
#include <askos/dataflow/session.hpp>
#include <askos/dataflow/synthetic.hpp>
#include <askos/dataflow/why.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

GraphFile load(const std::string& name, const std::vector<std::string>& settings) {
  StageCatalog catalog;
  synthetic::add_stage_types(catalog);
  return load_graph(ASKOS_EXAMPLES "/graphs/" + name + ".toml", catalog, settings);
}

/// Runs a graph for a second of virtual time and explains it.
WhyReport explain(const std::string& name,
                  std::vector<std::string> settings,
                  const std::string& stage = "",
                  Nanoseconds warm_up = {}) {
  settings.emplace_back("stages.source.count=0");
  SteppingClock clock;
  const auto session =
      start(Plan(load(name, settings).graph), {.kind = EngineKind::kSerial, .clock = &clock});
  SessionStatus before;
  if (warm_up.count() > 0) {
    EXPECT_FALSE(session->wait(warm_up).has_value());
    before = session->status();
  }
  EXPECT_FALSE(session->wait(1s).has_value());
  const auto report = why(session->plan(), before, session->status(), stage);
  session->stop();
  return report;
}

std::string slow_down(const std::string& stage) {
  return stage == "source" ? "stages.source.interval=10 ms" : "stages." + stage + ".service=10 ms";
}

const std::vector<std::string> kGraphs{"chain", "diamond",    "fan_out_join",
                                       "burst", "heavy_tail", "cycle"};

TEST(Why, NamesTheSlowStageOfEveryGraphAtEveryPosition) {
  for (const auto& graph : kGraphs) {
    const auto file = load(graph, {});
    for (const auto& node : file.graph.stages()) {
      for (const Nanoseconds warm_up : {Nanoseconds(0), Nanoseconds(700ms)}) {
        const auto report = explain(graph, {slow_down(node.name)}, "", warm_up);
        const auto context = graph + " slow at " + node.name + "\n" + to_text(report);
        EXPECT_EQ(report.verdict, node.name == "source" ? Verdict::kPaced : Verdict::kLimited)
            << context;
        ASSERT_FALSE(report.roots.empty()) << context;
        EXPECT_EQ(report.roots.front().stage, node.name) << context;
        EXPECT_EQ(report.roots.front().state, telemetry::State::kWaitIo) << context;
        ASSERT_FALSE(report.chain.empty()) << context;
        EXPECT_EQ(report.chain.back().stage, node.name) << context;
        EXPECT_GE(report.chain.size(), 2U) << context;
      }
    }
  }
}

/// source, 20 stages of 2 ms, sink; stage `slow` takes three times as long.
Graph long_chain(int slow) {
  Graph graph("long");
  auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{});
  const Out<synthetic::Blob>* from = &source.out;
  for (int i = 0; i < 20; ++i) {
    auto& work = graph.add<synthetic::Work>(
        "w" + std::to_string(i),
        synthetic::WorkOptions{.service = {.time = i == slow ? 6ms : 2ms}});
    graph.connect(*from, work.in);
    from = &work.out;
  }
  auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{});
  graph.connect(*from, sink.in);
  return graph;
}

WhyReport explain(Graph graph) {
  SteppingClock clock;
  const auto session =
      start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock});
  (void)session->wait(1s);
  auto report = why(session->plan(), {}, session->status());
  session->stop();
  return report;
}

TEST(Why, SeesThroughALongChain) {
  for (const int slow : {0, 9, 19}) {
    const auto report = explain(long_chain(slow));
    EXPECT_EQ(report.verdict, Verdict::kLimited) << to_text(report);
    EXPECT_EQ(report.roots.front().stage, "w" + std::to_string(slow)) << to_text(report);
    EXPECT_NEAR(report.speedup_at_most, 3, 0.5);  // the first 100 ms fill the chain at full speed
  }
}

TEST(Why, BlamesNobodyWhereAllStagesAreEquallySlow) {
  const auto report = explain(long_chain(-1));
  EXPECT_EQ(report.verdict, Verdict::kBalanced) << to_text(report);
}

TEST(Why, FollowsTheStageThatItIsAskedAbout) {
  const auto report = explain("chain", {slow_down("b")}, "source");
  EXPECT_THAT(to_text(report), ::testing::StartsWith("source waited "));
  EXPECT_THAT(to_text(report), HasSubstr("\n    b was wait.io 1.00 s of 1.00 s  <- root: "));
  EXPECT_THAT(to_text(report), HasSubstr(" of source's stall time\n"));
  EXPECT_EQ(report.chain.front().edge, "source.out>a.in");
  EXPECT_EQ(report.chain.front().state, telemetry::State::kWaitCredit);

  EXPECT_EQ(to_text(explain("chain", {slow_down("b")}, "b")),
            "waits for no other stage: b was wait.io 1.00 s of 1.00 s\n");
  try {
    (void)explain("chain", {}, "sorce");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "no stage of that name: stage=sorce, nearest=source");
  }
}

TEST(Why, BlamesNobodyInAHealthyGraph) {
  for (const auto& graph : kGraphs) {
    const auto report = explain(graph, {});
    const bool healthy = report.verdict == Verdict::kBalanced || report.verdict == Verdict::kPaced;
    EXPECT_TRUE(healthy) << graph << "\n" << to_text(report);
  }
}

// Never returns its packets before it has seen three, but its edge has room for two.
class Hoarder final : public Stage {
 public:
  In<int> in{*this, "in", {.rate = 0}};
  Out<int> out{*this, "out", {.rate = 0}};

  void run(Context& context) override { held_.push_back(context.take(in)); }
  [[nodiscard]] Firing firing() const override { return Firing::kAny; }

 private:
  std::vector<Packet<int>> held_;
};

class Ticker final : public Stage {
 public:
  Out<int> out{*this, "out"};
  void run(Context& context) override { context.emit(out, 1); }
};

class Drop final : public Stage {
 public:
  In<int> in{*this, "in"};
  void run(Context& context) override { (void)context.take(in); }
};

TEST(Why, ShowsTheCircleOfAGraphThatStandsStill) {
  Graph graph("still");
  auto& ticker = graph.add<Ticker>("ticker");
  auto& hoarder = graph.add<Hoarder>("hoarder");
  auto& drop = graph.add<Drop>("drop");
  graph.connect(ticker.out, hoarder.in);
  graph.connect(hoarder.out, drop.in);
  SteppingClock clock;
  const auto session =
      start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock});
  (void)session->wait(1ms);  // nothing moves any more, and nobody will wake it
  clock.sleep_until(10s);
  const auto before = session->status();
  clock.sleep_until(11s);
  const auto report = why(session->plan(), before, session->status());
  EXPECT_EQ(report.verdict, Verdict::kStuck);
  EXPECT_THAT(to_text(report),
              HasSubstr("ticker waited 1.00 s of 1.00 s for credit on ticker.out>hoarder.in\n"
                        "  hoarder waited 1.00 s of 1.00 s for input on ticker.out>hoarder.in\n"
                        "stuck: "));
  session->stop();
}

}  // namespace
}  // namespace askos::dataflow
