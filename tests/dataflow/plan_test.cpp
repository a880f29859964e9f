// SPDX-License-Identifier: Apache-2.0
#include "dataflow/support/stages.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/plan.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::dataflow {
namespace {

using test::Number;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A stage with any ports, that never runs.
class Box final : public Stage {
 public:
  struct Options {
    std::vector<Contract> inputs{};
    std::vector<Contract> outputs{};
    Firing firing = Firing::kAll;
    std::string communicator{};
  };
  explicit Box(const Options& options) : options_(options) {
    for (std::size_t i = 0; i < options.inputs.size(); ++i) {
      in.push_back(
          std::make_unique<In<Number>>(*this, "in" + std::to_string(i), options.inputs[i]));
    }
    for (std::size_t i = 0; i < options.outputs.size(); ++i) {
      out.push_back(
          std::make_unique<Out<Number>>(*this, "out" + std::to_string(i), options.outputs[i]));
    }
  }
  void run(Context& context) override { context.end(); }
  [[nodiscard]] Firing firing() const override { return options_.firing; }
  [[nodiscard]] std::string communicator() const override { return options_.communicator; }

  std::vector<std::unique_ptr<In<Number>>> in;
  std::vector<std::unique_ptr<Out<Number>>> out;

 private:
  Options options_;
};

class TextSink final : public Stage {
 public:
  In<std::string> in{*this, "in"};
  void run(Context& context) override { (void)context.take(in); }
};

Contract rate(int packets) {
  return {.rate = packets};
}

PlanReport check(const Graph& graph, const PlanLimits& limits = {}) {
  return Plan::check({&graph}, limits);
}

std::vector<std::string> faults_of(const PlanReport& report) {
  std::vector<std::string> texts;
  for (const auto& fault : report.faults) texts.push_back(fault.what);
  return texts;
}

TEST(Plan, AcceptsAChain) {
  Graph graph("g");
  auto& a = graph.add<Box>("a", Box::Options{.outputs = {{}}});
  auto& b = graph.add<Box>("b", Box::Options{.inputs = {{}}});
  graph.connect(*a.out[0], *b.in[0]);
  EXPECT_THAT(faults_of(check(graph)), IsEmpty());
}

TEST(Plan, ReportsOpenDoubleAndForeignPorts) {
  Graph other("other");
  auto& stranger = other.add<Box>("stranger", Box::Options{.outputs = {{}}});
  Graph graph("g");
  auto& a = graph.add<Box>("a", Box::Options{.outputs = {{}, {}}});
  auto& b = graph.add<Box>("b", Box::Options{.inputs = {{}, {}}});
  graph.connect(*a.out[0], *b.in[0]);
  graph.connect(*a.out[0], *b.in[0]);
  graph.connect(*stranger.out[0], *b.in[1]);
  EXPECT_THAT(faults_of(check(graph)),
              ElementsAre("edge joins a stage of another graph: edge=?.out0>b.in1",
                          "output port is not connected: port=a.out1",
                          "input port is joined more than once: port=b.in0, edges=2"));
}

TEST(Plan, ReportsNamesThatAreMissingOrTaken) {
  Graph graph("g");
  graph.add<Box>("a", Box::Options{});
  graph.add<Box>("a", Box::Options{});
  graph.add<Box>("", Box::Options{});
  EXPECT_THAT(faults_of(check(graph)),
              ElementsAre("two stages have one name: stage=a", "stage has no name: stage=''"));
}

TEST(Plan, ComparesBothEndsOfAnEdge) {
  const Contract offered{.shape = {{"grid", 10}},
                         .dtype = DType::kFloat32,
                         .device = Device::kCuda,
                         .host_bytes = {100}};
  const Contract wanted{.shape = {{"grid", 11}}, .dtype = DType::kFloat64, .host_bytes = {99}};
  Graph graph("g");
  auto& a = graph.add<Box>("a", Box::Options{.outputs = {offered}});
  auto& b = graph.add<Box>("b", Box::Options{.inputs = {wanted}});
  graph.connect(*a.out[0], *b.in[0]);
  EXPECT_THAT(
      faults_of(check(graph)),
      ElementsAre(
          "edge joins two different shapes: from=a.out0, to=b.in0, offered=[grid=10], "
          "wanted=[grid=11]",
          "edge joins two number types: from=a.out0, to=b.in0, offered=float32, wanted=float64",
          "edge joins two devices: from=a.out0, to=b.in0, offered=cuda, wanted=host",
          "edge brings larger payloads than wanted: from=a.out0, to=b.in0, offered='100 B', "
          "wanted='99 B'"));
}

TEST(Plan, ReportsPayloadTypesThatAreKnownAtRunTimeOnly) {
  Graph graph("g");
  auto& a = graph.add<Box>("a", Box::Options{.outputs = {{}}});
  auto& b = graph.add<TextSink>("b");
  graph.connect_ports(*a.out[0], b.in);
  const auto faults = faults_of(check(graph));
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_THAT(faults[0], HasSubstr("edge joins two payload types: from=a.out0, to=b.in"));
  EXPECT_THAT(faults[0], HasSubstr("offered=long"));
}

TEST(Plan, WantsRoomForOneFiring) {
  Graph graph("g");
  auto& a = graph.add<Box>("a", Box::Options{.outputs = {{.rate = 3, .host_bytes = {10}}}});
  auto& b = graph.add<Box>("b", Box::Options{.inputs = {rate(3)}});
  graph.connect(*a.out[0], *b.in[0], {.credit = 2, .host_bytes = {25}});
  const auto report = check(graph);
  ASSERT_EQ(report.faults.size(), 2U);
  EXPECT_EQ(report.faults[0].what,
            "edge has too little credit for one firing: edge=a.out0>b.in0, credit=2, needed=3");
  EXPECT_EQ(report.faults[0].repair, "raise the credit of a.out0>b.in0 to 3");
  EXPECT_EQ(report.faults[1].repair, "raise the host_bytes of a.out0>b.in0 to 30");
}

TEST(Plan, RefusesRatesThatDoNotBalance) {
  Graph graph("g");
  auto& a = graph.add<Box>("a", Box::Options{.outputs = {{}, rate(2)}});
  auto& b = graph.add<Box>("b", Box::Options{.inputs = {{}, {}}});
  graph.connect(*a.out[0], *b.in[0]);
  graph.connect(*a.out[1], *b.in[1]);
  EXPECT_THAT(faults_of(check(graph)),
              ElementsAre("rates do not balance: packets would pile up or run out: "
                          "edge=a.out1>b.in1, made=2, taken=1"));
}

/// split -> join directly and by way of `batch`, which collects `size` packets.
Graph reconvergent(int size, int credit) {
  Graph graph("g");
  auto& source = graph.add<Box>("source", Box::Options{.outputs = {{}}});
  auto& split = graph.add<Box>("split", Box::Options{.inputs = {{}}, .outputs = {{}, {}}});
  auto& batch =
      graph.add<Box>("batch", Box::Options{.inputs = {rate(size)}, .outputs = {rate(size)}});
  auto& join = graph.add<Box>("join", Box::Options{.inputs = {{}, {}}});
  graph.connect(*source.out[0], *split.in[0]);
  graph.connect(*split.out[0], *join.in[0], {.credit = credit});
  graph.connect(*split.out[1], *batch.in[0], {.credit = size});
  graph.connect(*batch.out[0], *join.in[1], {.credit = size});
  return graph;
}

TEST(Plan, NamesTheSmallestSufficientCreditOfAReconvergentPath) {
  const auto report = check(reconvergent(6, 2));
  ASSERT_EQ(report.faults.size(), 1U);
  EXPECT_EQ(report.faults[0].what,
            "graph comes to a stop for lack of credit: "
            "full='source.out0>split.in0, split.out0>join.in0', "
            "waiting='batch, join'");
  EXPECT_EQ(report.faults[0].repair, "raise the credit of split.out0>join.in0 from 2 to 6");
  EXPECT_TRUE(check(reconvergent(6, 6)).ok());
  EXPECT_FALSE(check(reconvergent(6, 5)).ok());
}

/// entry(source, back) -> work -> exit -> back to entry, with `initial` packets on the way back.
Graph cycle(int initial, int credit) {
  Graph graph("g");
  auto& source = graph.add<Box>("source", Box::Options{.outputs = {{}}});
  auto& entry =
      graph.add<Box>("entry", Box::Options{.inputs = {{}, rate(2)}, .outputs = {rate(2)}});
  auto& work = graph.add<Box>("work", Box::Options{.inputs = {{}}, .outputs = {{}}});
  graph.connect(*source.out[0], *entry.in[0]);
  graph.connect(*entry.out[0], *work.in[0], {.credit = credit});
  graph.connect(*work.out[0], *entry.in[1], {.credit = credit, .initial = initial});
  return graph;
}

TEST(Plan, WantsPacketsOnACycleToBeginWith) {
  const auto report = check(cycle(0, 2));
  ASSERT_EQ(report.faults.size(), 1U);
  EXPECT_EQ(report.faults[0].what,
            "cycle has too few initial packets to begin: stages='entry, work'");
  EXPECT_EQ(report.faults[0].repair, "start with 2 initial packets on work.out0>entry.in1");
  EXPECT_TRUE(check(cycle(2, 2)).ok());
  EXPECT_FALSE(check(cycle(1, 2)).ok());
}

TEST(Plan, BoundsBytesInFlight) {
  Graph graph("g");
  auto& a =
      graph.add<Box>("a", Box::Options{.outputs = {{.host_bytes = {100}, .device_bytes = {7}}}});
  auto& b = graph.add<Box>("b", Box::Options{.inputs = {{}}, .outputs = {{.host_bytes = {10}}}});
  auto& c = graph.add<Box>("c", Box::Options{.inputs = {{}}});
  graph.connect(*a.out[0], *b.in[0], {.credit = 4});
  graph.connect(*b.out[0], *c.in[0], {.credit = 4, .host_bytes = {25}});
  auto report = check(graph, {.host = {425}});
  EXPECT_THAT(faults_of(report), IsEmpty());
  EXPECT_EQ(report.host_bound, Bytes{425});
  EXPECT_EQ(report.device_bound, Bytes{28});
  EXPECT_TRUE(report.bound_proved);
  report = check(graph, {.host = {424}, .device = {1}});
  ASSERT_EQ(report.faults.size(), 2U);
  EXPECT_EQ(report.faults[0].what,
            "edges may hold more bytes than the limit: where=host, bound='425 B', limit='424 B'");
  EXPECT_THAT(report.faults[0].repair, HasSubstr("by 1 bytes in all"));
}

TEST(Plan, SaysWhatItCouldNotProve) {
  Graph graph("g");
  auto& a = graph.add<Box>("a", Box::Options{.outputs = {rate(0)}});
  auto& b = graph.add<Box>("b", Box::Options{.inputs = {{}}, .firing = Firing::kAny});
  graph.connect(*a.out[0], *b.in[0]);
  const auto report = check(graph);
  EXPECT_TRUE(report.ok());
  EXPECT_FALSE(report.bound_proved);
  EXPECT_THAT(report.unproved,
              ElementsAre("balance and liveness around b: it runs on any of its inputs",
                          "balance and liveness across a.out0>b.in0: its rate depends on the data",
                          "memory bound of a.out0>b.in0: its port states no payload size"));
}

TEST(Plan, RefusesLossOnTheWayIntoACollective) {
  Graph graph("g");
  auto& a = graph.add<Box>("a", Box::Options{.outputs = {{}}});
  auto& b = graph.add<Box>("b", Box::Options{.inputs = {{}}, .outputs = {{}}});
  auto& c = graph.add<Box>("c", Box::Options{.inputs = {{}}, .outputs = {{}}, .communicator = "w"});
  auto& d = graph.add<Box>("d", Box::Options{.inputs = {{}}, .communicator = "w"});
  graph.connect(*a.out[0], *b.in[0], {.policy = EdgePolicy::kLatest});
  graph.connect(*b.out[0], *c.in[0]);
  graph.connect(*c.out[0], *d.in[0]);
  graph.configure(b, {.on_failure = FailurePolicy::kSkip});
  EXPECT_THAT(
      faults_of(check(graph)),
      ElementsAre("edge may drop packets on the way into a collective: ranks would fall out of "
                  "step: edge=a.out0>b.in0, collective=c",
                  "stage may skip packets on the way into a collective: ranks would fall out of "
                  "step: stage=b, collective=c",
                  "two stages enter collectives of one communicator, in no fixed order: "
                  "communicator=w, stages='c, d'"));
}

TEST(Plan, WantsTheSameGraphOnEveryRank) {
  const auto make = [](int credit) {
    Graph graph("g");
    auto& a = graph.add<Box>("a", Box::Options{.outputs = {{}}});
    auto& b = graph.add<Box>("b", Box::Options{.inputs = {{}}});
    graph.connect(*a.out[0], *b.in[0], {.credit = credit});
    return graph;
  };
  const auto one = make(2);
  const auto same = make(2);
  const auto other = make(3);
  EXPECT_TRUE(Plan::check({&one, &same}).ok());
  const auto faults = faults_of(Plan::check({&one, &same, &other}));
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_THAT(faults[0], HasSubstr("ranks have different graphs: rank=2"));
  EXPECT_THAT(faults[0], HasSubstr("credit 3"));
}

TEST(Plan, ThrowsWithEveryFaultAndItsRepair) {
  try {
    const Plan plan(reconvergent(6, 2), {});
    FAIL() << "no refusal";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kPlanRefused);
    EXPECT_THAT(error.what(), HasSubstr("plan refused: graph=g, fault="));
    EXPECT_THAT(error.what(), HasSubstr("(repair: raise the credit of split.out0>join.in0"));
  }
}

}  // namespace
}  // namespace askos::dataflow
