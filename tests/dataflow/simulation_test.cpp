// SPDX-License-Identifier: Apache-2.0
#include "dataflow/support/stages.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/graph_file.hpp>
#include <askos/dataflow/simulation.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::dataflow {
namespace {

using test::Count;
using test::Keep;
using test::Number;

std::vector<Graph> one(Graph graph) {
  std::vector<Graph> graphs;
  graphs.push_back(std::move(graph));
  return graphs;
}

/// Merges two inputs. The bug: where the right one has run ahead by four packets, a packet of the
/// left one is put aside and its credit never comes back.
class LeakyMerge final : public Stage {
 public:
  explicit LeakyMerge(int ahead) : ahead_(ahead) {}
  In<Number> left{*this, "left"};
  In<Number> right{*this, "right"};
  Out<Number> out{*this, "out"};

  [[nodiscard]] Firing firing() const override { return Firing::kAny; }
  void run(Context& context) override {
    const bool from_left = context.num_waiting(left) > 0;
    const bool leaks = from_left && context.num_waiting(right) >= ahead_;
    auto packet = context.take(from_left ? left : right);
    context.emit(out, *packet, packet.meta);
    if (leaks) leaked_.push_back(std::move(packet));
  }

 private:
  int ahead_;
  std::vector<Packet<Number>> leaked_;
};

std::vector<Graph> merging(int ahead) {
  Graph graph("merging");
  auto& first = graph.add<Count>("first", 60);
  auto& second = graph.add<Count>("second", 60);
  auto& merge = graph.add<LeakyMerge>("merge", ahead);
  auto& sink = graph.add<Keep>("sink", test::make_list());
  graph.connect(first.out, merge.left, {.credit = 2});
  graph.connect(second.out, merge.right, {.credit = 4});
  graph.connect(merge.out, sink.in, {.credit = 2});
  return one(std::move(graph));
}

TEST(Simulation, FindsAPlantedLostCreditWithinAThousandSeedsAndReplaysIt) {
  const auto make = [] { return merging(4); };
  const auto report = simulate(make, {}, {.num_seeds = 1000});
  ASSERT_TRUE(report.finding.has_value()) << report.num_seeds << " seeds";
  EXPECT_EQ(report.finding->what, "stall");
  EXPECT_THAT(report.finding->detail, ::testing::HasSubstr("first@0 wait.credit"));
  EXPECT_THAT(report.finding->detail, ::testing::HasSubstr("first.out>merge.left 2/2"));
  ASSERT_FALSE(report.finding->steps.empty());

  const auto again = simulate(make, {}, {.first_seed = report.finding->seed, .num_seeds = 1});
  ASSERT_TRUE(again.finding.has_value());
  ASSERT_EQ(again.finding->steps.size(), report.finding->steps.size());
  for (std::size_t i = 0; i < again.finding->steps.size(); ++i) {
    EXPECT_EQ(again.finding->steps[i].stage, report.finding->steps[i].stage);
    EXPECT_EQ(again.finding->steps[i].time, report.finding->steps[i].time);
    EXPECT_EQ(again.finding->steps[i].edges, report.finding->steps[i].edges);
  }
}

TEST(Simulation, FindsNothingInAGraphWithoutTheBug) {
  const auto report = simulate([] { return merging(99); }, {}, {.num_seeds = 200});
  EXPECT_FALSE(report.finding.has_value()) << report.finding->detail;
  EXPECT_EQ(report.num_seeds, 200);
}

TEST(Simulation, DoesTheSameForTheSameSeeds) {
  const auto fingerprint = [](unsigned seed) {
    return simulate([] { return merging(99); }, {}, {.first_seed = seed, .num_seeds = 20})
        .fingerprint;
  };
  EXPECT_EQ(fingerprint(1), fingerprint(1));
  EXPECT_NE(fingerprint(1), fingerprint(2));
}

TEST(Simulation, OfTheExampleGraphsFindsNothingWhateverTheFaults) {
  for (const std::string name :
       {"chain", "diamond", "fan_out_join", "burst", "heavy_tail", "cycle"}) {
    const auto make = [&] {
      StageCatalog catalog;
      synthetic::add_stage_types(catalog);
      return one(load_graph(ASKOS_EXAMPLES "/graphs/" + name + ".toml", catalog).graph);
    };
    for (const SimulatedFaults faults :
         {SimulatedFaults{}, SimulatedFaults{.slow = false, .fail = true}}) {
      const auto report =
          simulate(make, {}, {.num_seeds = 10, .num_steps = 2000, .faults = faults});
      EXPECT_FALSE(report.finding.has_value())
          << name << ": " << report.finding->what << " " << report.finding->detail;
    }
  }
}

/// Fails of its own when packets come out of turn.
class Strict final : public Stage {
 public:
  In<Number> in{*this, "in"};
  void run(Context& context) override {
    const auto packet = context.take(in);
    if (*packet != next_++) throw Error(Errc::kCheckFailed, "a packet is missing");
  }

 private:
  Number next_ = 0;
};

TEST(Simulation, TellsOfAFailureThatADropBringsAbout) {
  const auto make = [] {
    Graph graph("strict");
    auto& source = graph.add<Count>("source", 2000);
    auto& pass = graph.add<test::Apply>("pass", [](Number x) { return x; });
    auto& strict = graph.add<Strict>("strict");
    graph.connect(source.out, pass.in);
    graph.connect(pass.out, strict.in);
    return one(std::move(graph));
  };
  const auto report = simulate(make, {}, {.num_seeds = 50, .faults = {.drop = true}});
  ASSERT_TRUE(report.finding.has_value());
  EXPECT_EQ(report.finding->what, "failure");
  EXPECT_THAT(report.finding->detail, ::testing::HasSubstr("strict: a packet is missing"));
  EXPECT_FALSE(simulate(make, {}, {.num_seeds = 50}).finding.has_value());
}

}  // namespace
}  // namespace askos::dataflow
