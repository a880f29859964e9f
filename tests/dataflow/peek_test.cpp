// SPDX-License-Identifier: Apache-2.0
// Looking at packets in flight, breakpoints on them, and another credit for their edge.
#include "dataflow/support/engines.hpp"
#include "dataflow/support/error_of.hpp"
#include "dataflow/support/meeting.hpp"
#include "dataflow/support/stages.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <thread>

namespace askos::dataflow {

/// A 2 x 3 field of numbers, the first of them `sample`; NaN in sample 30.
struct Field {
  std::vector<float> values;
};
PayloadDescription describe_payload(const Field& field) {
  return {host_tensor("field", {2, 3}, DType::kFloat32, field.values.data())};
}

namespace {

using namespace std::chrono_literals;
using test::Count;
using test::error_of;
using test::Keep;
using test::kLong;
using test::Number;
using ::testing::ElementsAre;

const Debugger kMe{.name = "me"};

class MakeFields final : public Stage {
 public:
  Out<Field> out{*this, "out", {.host_bytes = Bytes{24}}};
  void run(Context& context) override {
    const auto first = static_cast<float>(next_);
    Field field{{first, 1, 2, 3, 4, next_ == 30 ? std::nanf("") : 5}};
    context.emit(out, std::move(field),
                 {.sample = SampleId{next_}, .trace = TraceId{static_cast<std::uint64_t>(next_)}});
    if (++next_ == 50) context.end();
  }

 private:
  std::int64_t next_ = 0;
};

class TakeFields final : public Stage {
 public:
  explicit TakeFields(std::shared_ptr<std::vector<Number>> taken) : taken_(std::move(taken)) {}
  In<Field> in{*this, "in"};
  void run(Context& context) override { taken_->push_back(context.take(in).meta.sample.value); }

 private:
  std::shared_ptr<std::vector<Number>> taken_;
};

Graph fields(const std::shared_ptr<std::vector<Number>>& taken) {
  Graph graph("fields");
  auto& make = graph.add<MakeFields>("make");
  auto& take = graph.add<TakeFields>("take", taken);
  graph.connect(make.out, take.in, {.credit = 4});
  return graph;
}

constexpr const char* kEdge = "make.out>take.in";

constexpr Number kMany = 300'000;

/// So many numbers that a test can look in while they fly.
Graph fast(const std::shared_ptr<std::vector<Number>>& kept, int credit) {
  Graph graph("fast");
  auto& source = graph.add<Count>("source", kMany);
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, sink.in, {.credit = credit});
  return graph;
}

std::vector<Number> first(Number count) {
  std::vector<Number> list(static_cast<std::size_t>(count));
  std::iota(list.begin(), list.end(), 0);
  return list;
}

/// Lets the serial engine work until the graph is paused with such an edge.
void work_until_paused(Session& session, int credit, int depth) {
  const auto is_reached = [&] {
    const auto edge = session.control().peek({.edge = kEdge});
    return edge.credit == credit && edge.depth == depth &&
           session.control().hold().state == HoldState::kPaused;
  };
  const auto deadline = steady_clock().now() + kLong;
  while (!is_reached() && steady_clock().now() < deadline) (void)session.wait(1us);
  ASSERT_TRUE(is_reached());
}

/// A paused graph, its edge full.
class PeekTest : public ::testing::Test {
 protected:
  PeekTest() {
    session_->control().pause(kMe, "take");
    work_until_paused(*session_, 4, 4);
  }
  ~PeekTest() override { session_->stop(); }

  std::shared_ptr<std::vector<Number>> taken_ = test::make_list();
  std::unique_ptr<Session> session_ = start(Plan(fields(taken_)), {.kind = EngineKind::kSerial});
};

TEST_F(PeekTest, ListsThePacketsThatWait) {
  const auto peek = session_->control().peek({.edge = kEdge});
  EXPECT_EQ(peek.credit, 4);
  EXPECT_EQ(peek.depth, 4);
  ASSERT_EQ(peek.packets.size(), 4U);
  for (int i = 0; i < 4; ++i) {
    const auto& packet = peek.packets[static_cast<std::size_t>(i)];
    EXPECT_EQ(packet.index, i);
    EXPECT_EQ(packet.meta.sample.value, i);
    EXPECT_EQ(packet.meta.host_bytes, Bytes{24});
    EXPECT_GE(packet.age, 0ns);
    EXPECT_THAT(packet.type, ::testing::HasSubstr("Field"));
    ASSERT_EQ(packet.tensors.size(), 1U);
    EXPECT_THAT(packet.tensors[0].view.shape, ElementsAre(2, 3));
  }
  EXPECT_GE(peek.packets[0].age, peek.packets[3].age);
}

TEST_F(PeekTest, ShowsStatisticsHistogramAndSlice) {
  const auto peek = session_->control().peek(
      {.edge = kEdge, .index = 2, .statistics = true, .histogram = 2, .slice = "1,0:2"});
  ASSERT_EQ(peek.packets.size(), 1U);
  const auto& tensor = peek.packets[0].tensors.at(0);
  ASSERT_TRUE(tensor.statistics.has_value());
  EXPECT_EQ(tensor.statistics->sampled, 6);
  EXPECT_EQ(tensor.statistics->min, 1);
  EXPECT_EQ(tensor.statistics->max, 5);
  EXPECT_DOUBLE_EQ(tensor.statistics->mean, 17.0 / 6);
  EXPECT_THAT(tensor.bin_edges, ElementsAre(1, 3, 5));
  EXPECT_THAT(tensor.bin_counts, ElementsAre(3, 3));
  EXPECT_THAT(tensor.slice_shape, ElementsAre(1, 2));
  EXPECT_THAT(tensor.slice_values, ElementsAre(3, 4));
}

TEST_F(PeekTest, SaysWhatIsWrong) {
  auto& control = session_->control();
  EXPECT_EQ(error_of([&] { (void)control.peek({.edge = "make.out>tak.in"}); }),
            "no edge of that name: edge=make.out>tak.in, nearest=make.out>take.in");
  EXPECT_EQ(error_of([&] { (void)control.peek({.edge = kEdge, .rank = Rank{3}}); }),
            "no such rank: rank=3, ranks=1");
  EXPECT_EQ(error_of([&] { (void)control.peek({.edge = kEdge, .slice = "2,0"}); }),
            "slice does not fit the tensor: slice=2,0, axis=0, expected='entries within 0:2'");
  EXPECT_EQ(error_of([&] { (void)control.peek({.edge = kEdge, .slice = "0,0,0"}); }),
            "slice does not fit the tensor: slice=0,0,0, axis=2, expected='2 axes'");
  EXPECT_EQ(error_of([&] { (void)control.add_breakpoint(kMe, "make.out", "1"); }),
            "no edge of that name: edge=make.out, known=make.out>take.in");
}

TEST_F(PeekTest, TakesNoCreditAndNoPacket) {
  (void)session_->control().peek({.edge = kEdge, .statistics = true});
  session_->control().resume(kMe);
  ASSERT_TRUE(session_->wait(kLong).has_value());
  EXPECT_EQ(*taken_, first(50));
}

TEST(Peek, SeesWholePacketsWhileTheyFly) {
  const auto kept = test::make_list();
  const auto session = start(Plan(fast(kept, 8)));
  int num_looked = 0;
  while (!session->wait(0ns)) {
    Number last = -1;
    for (const auto& packet : session->control().peek({.edge = "source.out>sink.in"}).packets) {
      const auto number = *static_cast<const Number*>(packet.payload.get());
      ASSERT_EQ(number, packet.meta.sample.value);
      ASSERT_TRUE(last < 0 || number == last + 1);
      last = number;
      ++num_looked;
    }
  }
  EXPECT_GT(num_looked, 0);
  EXPECT_EQ(*kept, first(kMany));
}

TEST(Breakpoint, StopsBeforeThePacketAndLetsItThroughOnce) {
  for (const auto kind : {EngineKind::kSerial, EngineKind::kActor}) {
    const auto taken = test::make_list();
    const auto session = start(Plan(fields(taken)), {.kind = kind, .paused = true});
    auto& control = session->control();
    (void)control.add_breakpoint(kMe, kEdge, "nan(field) > 0");
    EXPECT_EQ(control.add_breakpoint(kMe, kEdge, "sample == 10").number, 2);
    const auto until_held = [&] {
      while (control.hold().reason != "breakpoint" || control.hold().state != HoldState::kPaused) {
        if (session->wait(1us)) return false;
      }
      return true;
    };
    control.resume(kMe);
    ASSERT_TRUE(until_held());
    EXPECT_EQ(*taken, first(10));
    EXPECT_EQ(control.breakpoints()[1].hit->sample.value, 10);
    EXPECT_EQ(control.breakpoints()[0].num_hits, 0);
    EXPECT_EQ(control.peek({.edge = kEdge}).packets.at(0).meta.sample.value, 10);
    control.resume(kMe);
    ASSERT_TRUE(until_held());
    EXPECT_EQ(*taken, first(30));
    EXPECT_EQ(control.breakpoints()[0].hit->sample.value, 30);
    control.remove_breakpoints();
    control.resume(kMe);
    ASSERT_TRUE(session->wait(kLong).has_value());
    EXPECT_EQ(*taken, first(50));
  }
}

TEST(Breakpoint, TellsWhyItCannotBeEvaluated) {
  const auto taken = test::make_list();
  const auto session = start(Plan(fields(taken)), {.kind = EngineKind::kSerial});
  (void)session->control().add_breakpoint(kMe, kEdge, "nan(feild) > 0");
  ASSERT_TRUE(session->wait(kLong).has_value());
  EXPECT_EQ(session->control().breakpoints()[0].problem,
            "payload has no such tensor: tensor=feild, nearest=field");
}

/// Per rank: fields that ranks meet over, one after the other.
TEST(Breakpoint, OnOneRankPausesAllAtACut) {
  std::vector<std::shared_ptr<std::vector<Number>>> kept{test::make_list(), test::make_list(),
                                                         test::make_list()};
  auto ranks = comm::make_local_group(3, {.deadline = 20s});
  std::vector<Graph> graphs;
  for (std::size_t rank = 0; rank < 3; ++rank) {
    auto& graph = graphs.emplace_back("ranks");
    auto& source = graph.add<Count>("source", 200);
    auto& meet = graph.add<test::AllReduce>("meet", std::move(ranks[rank]));
    auto& sink = graph.add<Keep>("sink", kept[rank]);
    graph.connect(source.out, meet.in);
    graph.connect(meet.out, sink.in);
  }
  const auto session = start(Plan(std::move(graphs)));
  auto& control = session->control();
  (void)control.add_breakpoint(kMe, "source.out>meet.in", "sample == 150", Rank{1});
  const auto deadline = steady_clock().now() + kLong;
  while (control.hold().state != HoldState::kPaused && steady_clock().now() < deadline) {
    std::this_thread::yield();
  }
  const auto hold = control.hold();
  ASSERT_EQ(hold.state, HoldState::kPaused);
  std::vector<std::int64_t> runs;
  for (const auto& stage : hold.stages) {
    if (stage.stage == "meet") runs.push_back(stage.num_runs);
  }
  EXPECT_THAT(runs, ::testing::AnyOf(ElementsAre(150, 150, 150), ElementsAre(151, 151, 151)));
  control.remove_breakpoints();
  control.resume(kMe);
  const auto outcome = session->wait(kLong);
  ASSERT_TRUE(outcome && outcome->ok());
  for (const auto& list : kept) EXPECT_EQ(list->size(), 200U);
}

TEST(Credit, ChangesOnARunningGraph) {
  const auto kept = test::make_list();
  const auto session = start(Plan(fast(kept, 2)));
  int credit = 1;
  while (!session->wait(0ns)) {
    credit = credit % 9 + 1;
    try {
      (void)session->control().change_credit("source.out>sink.in", credit);
    } catch (const Error&) {  // it has just ended
    }
    (void)session->control().wait_for_hold(kLong);
    const auto edge = session->status().edges[0];
    EXPECT_LE(edge.in_flight, 9);
  }
  EXPECT_EQ(*kept, first(kMany));
}

TEST(Credit, LeavesAPausedGraphPaused) {
  const auto taken = test::make_list();
  const auto session = start(Plan(fields(taken)), {.kind = EngineKind::kSerial});
  auto& control = session->control();
  control.pause(kMe, "take");
  work_until_paused(*session, 4, 4);
  const auto change = control.change_credit(kEdge, 7);
  EXPECT_EQ(change.before, 4);
  work_until_paused(*session, 7, 7);
  EXPECT_EQ(control.hold().debugger, "me");
  (void)control.change_credit(kEdge, 2);
  work_until_paused(*session, 2, 7);  // what is there stays
  EXPECT_EQ(session->status().edges[0].credit, 2);
  control.step(kMe, 6, "take");
  work_until_paused(*session, 2, 2);
  control.resume(kMe);
  ASSERT_TRUE(session->wait(kLong).has_value());
  EXPECT_EQ(*taken, first(50));
}

TEST(Credit, IsProvedBeforeItIsApplied) {
  Graph graph("pair");
  auto& source = graph.add<Count>("source", 100);
  auto& batch = graph.add<Keep>("batch", test::make_list(), Contract{.rate = 4});
  graph.connect(source.out, batch.in, {.credit = 8});
  const auto session = start(Plan(std::move(graph)), {.kind = EngineKind::kSerial});
  EXPECT_THAT(error_of([&] { (void)session->control().change_credit("source.out>batch.in", 3); }),
              ::testing::HasSubstr("edge has too little credit for one firing: "
                                   "edge=source.out>batch.in, credit=3, needed=4 (repair: raise "
                                   "the credit of source.out>batch.in to 4)"));
  EXPECT_EQ(session->status().edges[0].credit, 8);
  EXPECT_EQ(session->plan().ranks()[0].edges()[0].options.credit, 8);
  EXPECT_TRUE(session->wait(kLong).has_value());
}

}  // namespace
}  // namespace askos::dataflow
