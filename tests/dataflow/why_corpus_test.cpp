// SPDX-License-Identifier: Apache-2.0
#include "dataflow/support/stall_corpus.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/graph_file.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace askos::dataflow {
namespace {

using test::StalledGraph;

bool names_the_cause(const WhyReport& report, const test::Cause& cause) {
  if (report.verdict != cause.verdict) return false;
  if (cause.verdict == Verdict::kStuck) return !report.chain.empty();
  if (report.roots.empty()) return false;
  const auto& root = report.roots.front();
  return (cause.stage.empty() || root.stage == cause.stage) &&
         (!cause.rank || root.rank == *cause.rank) &&
         (!cause.state || root.state == *cause.state) &&
         (cause.edge.empty() || root.edge.find(cause.edge) != std::string::npos);
}

TEST(WhyCorpus, NamesTheTrueCauseInNineteenOfTwentyGraphs) {
  const auto graphs = test::stalled_graphs();
  ASSERT_GE(graphs.size(), 20U);
  std::size_t num_right = 0;
  std::string wrong;
  for (const auto& graph : graphs) {
    const auto report = test::why_after_a_second(graph);
    if (names_the_cause(report, graph.cause)) {
      ++num_right;
    } else {
      wrong += graph.name + ": " + std::string(to_string(report.verdict)) + "\n" + to_text(report);
    }
  }
  EXPECT_GE(num_right, std::ceil(0.95 * static_cast<double>(graphs.size()))) << wrong;
}

TEST(Prediction, AgreesWithWhatTheChangeBrings) {
  const auto rate_of = [](const std::vector<std::string>& settings, const WhatIf& change) {
    StageCatalog catalog;
    synthetic::add_stage_types(catalog);
    auto all = settings;
    all.insert(all.end(), {"stages.source.count=0", "stages.source.interval=0 s"});
    auto file = load_graph(ASKOS_EXAMPLES "/graphs/chain.toml", catalog, all);
    SteppingClock clock;
    const auto session =
        start(Plan(std::move(file.graph)), {.kind = EngineKind::kSerial, .clock = &clock});
    (void)session->wait(std::chrono::seconds(2));
    auto prediction = predict(session->plan(), {}, session->status(), change);
    session->stop();
    return prediction;
  };
  const std::vector<std::string> slow{"stages.b.service=10 ms"};
  const auto twice = rate_of(slow, {.stage = "b", .times = 2});
  EXPECT_NEAR(twice.packets_per_s, 100, 2);
  EXPECT_NEAR(twice.predicted_per_s, 200, 4);
  EXPECT_NEAR(rate_of({"stages.b.service=5 ms"}, {.stage = "b"}).packets_per_s,
              twice.predicted_per_s, 4);
  EXPECT_NEAR(rate_of(slow, {.stage = "a", .times = 4}).gain, 0, 0.01);
  EXPECT_NEAR(rate_of(slow, {.edge = "a.out>b.in", .credit = 9}).gain, 0, 0.01);
  EXPECT_THROW((void)rate_of(slow, {.stage = "bb"}), Error);
  EXPECT_THROW((void)rate_of(slow, {.stage = "b", .times = 0}), Error);
}

/// Passes packets on, and would hand one aside now and then, as one that writes checkpoints.
class Archivist final : public Stage {
 public:
  In<synthetic::Blob> in{*this, "in"};
  Out<synthetic::Blob> out{*this, "out"};
  Out<synthetic::Blob> aside{*this, "aside", {.rate = 0}};
  void run(Context& context) override {
    (void)context.take(in);
    context.emit(out, synthetic::Blob{});
  }
};

TEST(Prediction, LeavesOutStagesAtTheSideThatGetPacketsNowAndThen) {
  Graph graph("archive");
  auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{});
  auto& work = graph.add<synthetic::Work>(
      "work", synthetic::WorkOptions{.service = {.time = std::chrono::milliseconds(10)}});
  auto& archivist = graph.add<Archivist>("archivist");
  auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{});
  auto& archive = graph.add<synthetic::Sink>("archive", synthetic::SinkOptions{});
  graph.connect(source.out, work.in);
  graph.connect(work.out, archivist.in);
  graph.connect(archivist.out, sink.in);
  graph.connect(archivist.aside, archive.in);
  SteppingClock clock;
  const auto session =
      start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock});
  (void)session->wait(std::chrono::seconds(2));
  const auto twice = predict(session->plan(), {}, session->status(), {.stage = "work", .times = 2});
  session->stop();
  EXPECT_NEAR(twice.packets_per_s, 100, 2);
  EXPECT_NEAR(twice.predicted_per_s, 200, 4);
}

class HealthyGraph : public ::testing::TestWithParam<StalledGraph> {};

TEST_P(HealthyGraph, HasNobodyToBlame) {
  const auto report = test::why_after_a_second(GetParam());
  EXPECT_TRUE(report.verdict == Verdict::kBalanced || report.verdict == Verdict::kPaced)
      << to_text(report);
}

INSTANTIATE_TEST_SUITE_P(Corpus,
                         HealthyGraph,
                         ::testing::ValuesIn(test::healthy_graphs()),
                         [](const auto& tested) {
                           std::string name = tested.param.name;
                           std::erase_if(name, [](char letter) { return !std::isalnum(letter); });
                           return name;
                         });

}  // namespace
}  // namespace askos::dataflow
