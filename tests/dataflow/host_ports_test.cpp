// SPDX-License-Identifier: Apache-2.0
#include "dataflow/support/engines.hpp"
#include "dataflow/support/stages.hpp"

#include <askos/dataflow/host_sink.hpp>
#include <askos/dataflow/host_source.hpp>

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using test::kLong;
using test::Number;

bool readable(int descriptor) {
  pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 0) == 1;
}

std::shared_ptr<const Number> number(Number value) {
  return std::make_shared<const Number>(value);
}

/// host -> twice -> host
struct Hosted {
  explicit Hosted(int credit = 2) {
    Graph graph("hosted");
    source = &graph.add<HostSource<Number>>("source");
    auto& twice = graph.add<test::Apply>("twice", [](Number x) { return 2 * x; });
    sink = &graph.add<HostSink<Number>>("sink");
    graph.connect(source->out, twice.in, {.credit = credit});
    graph.connect(twice.out, sink->in, {.credit = credit});
    session = start(Plan(std::move(graph)));
  }
  HostSource<Number>* source = nullptr;
  HostSink<Number>* sink = nullptr;
  std::unique_ptr<Session> session;
};

TEST(HostPorts, CarryPacketsThroughTheGraphInOrder) {
  Hosted hosted;
  std::thread pusher([&] {
    for (Number i = 0; i < 2000; ++i) ASSERT_TRUE(hosted.source->push(number(i), kLong));
    hosted.source->close();
  });
  Number next = 0;
  while (const auto packet = hosted.sink->take(kLong)) EXPECT_EQ(**packet, 2 * next++);
  pusher.join();
  EXPECT_EQ(next, 2000);
  EXPECT_TRUE(hosted.sink->over());
  const auto outcome = hosted.session->wait(kLong);
  ASSERT_TRUE(outcome && outcome->ok());
}

TEST(HostPorts, HoldTheHostBackWhenTheGraphIsFull) {
  Hosted hosted(1);
  // One waits for the host on the credit of the last edge, one on the first edge, one to enter.
  constexpr Number kPushed = 3;
  for (Number i = 0; i < kPushed; ++i) ASSERT_TRUE(hosted.source->push(number(i), kLong));
  EXPECT_FALSE(hosted.source->push(number(99), 1ms));
  EXPECT_FALSE(readable(hosted.source->event_descriptor()));
  hosted.source->close();
  Number taken = 0;
  while (const auto packet = hosted.sink->take(kLong)) EXPECT_EQ(**packet, 2 * taken++);
  EXPECT_EQ(taken, kPushed);
}

TEST(HostPorts, CountWhatTheHostHoldsAsInFlight) {
  Hosted hosted(1);
  ASSERT_TRUE(hosted.source->push(number(1), kLong));
  auto packet = hosted.sink->take(kLong);
  ASSERT_TRUE(packet);
  EXPECT_EQ(hosted.session->status().edges[1].in_flight, 1);
  packet.reset();
  EXPECT_EQ(hosted.session->status().edges[1].in_flight, 0);
}

TEST(HostPorts, SignalTheHostsPollLoop) {
  Hosted hosted;
  EXPECT_TRUE(readable(hosted.source->event_descriptor()));
  EXPECT_FALSE(readable(hosted.sink->event_descriptor()));
  EXPECT_FALSE(hosted.sink->try_take());
  ASSERT_TRUE(hosted.source->try_push(number(1)));
  pollfd entry{.fd = hosted.sink->event_descriptor(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&entry, 1, 60000), 1);
  EXPECT_TRUE(hosted.sink->try_take());
  EXPECT_FALSE(readable(hosted.sink->event_descriptor()));
  hosted.source->close();
  ASSERT_TRUE(hosted.session->wait(kLong));
  EXPECT_TRUE(readable(hosted.sink->event_descriptor()));  // it is over
}

TEST(HostPorts, DeliverOnDrainWhatWasAccepted) {
  Hosted hosted(2);
  constexpr Number kPushed = 5;
  for (Number i = 0; i < kPushed; ++i) ASSERT_TRUE(hosted.source->push(number(i), kLong));
  std::thread taker([&] {
    Number taken = 0;
    while (hosted.sink->take(kLong)) ++taken;
    EXPECT_EQ(taken, kPushed);
  });
  const auto outcome = hosted.session->drain(kLong);
  taker.join();
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(outcome.num_undelivered, 0);
  EXPECT_FALSE(hosted.source->push(number(0), kLong));  // nobody takes any more
}

TEST(HostPorts, LetPacketsOutliveTheSession) {
  std::optional<Packet<Number>> packet;
  {
    Hosted hosted;
    ASSERT_TRUE(hosted.source->push(number(21), kLong));
    packet = hosted.sink->take(kLong);
  }
  ASSERT_TRUE(packet);
  EXPECT_EQ(**packet, 42);
}

TEST(HostPorts, WorkOnTheSerialEngine) {
  Graph graph("serial");
  auto& source = graph.add<HostSource<Number>>("source");
  auto& sink = graph.add<HostSink<Number>>("sink");
  graph.connect(source.out, sink.in);
  const auto session = start(Plan(std::move(graph)), {.kind = EngineKind::kSerial});
  ASSERT_TRUE(source.try_push(number(5)));
  source.close();
  const auto outcome = session->wait(kLong);
  ASSERT_TRUE(outcome && outcome->ok());
  const auto packet = sink.try_take();
  ASSERT_TRUE(packet);
  EXPECT_EQ(**packet, 5);
}

}  // namespace
}  // namespace askos::dataflow
