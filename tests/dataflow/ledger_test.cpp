// SPDX-License-Identifier: Apache-2.0
// The account that stages get, whatever runs them.
#include "dataflow/support/engines.hpp"
#include "dataflow/support/stages.hpp"
#include "dataflow/support/step_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using telemetry::State;
using test::Count;
using test::Keep;
using test::Number;
using ::testing::ElementsAre;

class LedgerTest : public test::EngineTest {};
ASKOS_TEST_ON_BOTH_ENGINES(LedgerTest);

std::int64_t sum_of(const telemetry::StateTimes& times) {
  return std::accumulate(times.begin(), times.end(), std::int64_t{0});
}

std::int64_t sum_of(const std::vector<std::int64_t>& times) {
  return std::accumulate(times.begin(), times.end(), std::int64_t{0});
}

/// Passes numbers on; each takes `service` on the clock.
class Slow final : public Stage {
 public:
  Slow(test::StepClock& clock, Nanoseconds service) : clock_(clock), service_(service) {}
  In<Number> in{*this, "in"};
  Out<Number> out{*this, "out"};
  void run(Context& context) override {
    const auto packet = context.take(in);
    clock_.pass(service_);
    context.emit(out, *packet, packet.meta);
  }

 private:
  test::StepClock& clock_;
  Nanoseconds service_;
};

const StageStatus& stage(const SessionStatus& status, std::string_view name) {
  return *std::ranges::find(status.stages, name, &StageStatus::stage);
}

TEST(SerialLedgerTest, AccountsForEveryNanosecond) {
  test::StepClock clock;
  Graph graph("slow");
  auto& source = graph.add<Count>("source", 10);
  auto& slow = graph.add<Slow>("slow", clock, 7us);
  auto& sink = graph.add<Keep>("sink", test::make_list());
  graph.connect(source.out, slow.in, {.credit = 2});
  graph.connect(slow.out, sink.in, {.credit = 2});
  const auto session =
      start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock});
  ASSERT_TRUE(session->wait(test::kLong));
  const auto status = session->status();
  for (const auto& one : status.stages) {
    SCOPED_TRACE(one.stage);
    EXPECT_EQ(one.ledger.at - one.ledger.opened, 70us);
    EXPECT_EQ(sum_of(one.ledger.times), Nanoseconds(70us).count());
    EXPECT_EQ(sum_of(one.wait_input_ns), one.ledger.in(State::kWaitInput).count());
    EXPECT_EQ(sum_of(one.wait_credit_ns), one.ledger.in(State::kWaitCredit).count());
  }
  EXPECT_EQ(stage(status, "slow").ledger.in(State::kBusyCpu), 70us);
  EXPECT_EQ(stage(status, "source").ledger.in(State::kBusyCpu), 0us);
  // One thread runs all: what the others do not wait for, they wait for it.
  const auto& last = stage(status, "sink");
  EXPECT_EQ(last.ledger.in(State::kWaitInput) + last.ledger.in(State::kWaitSched), 70us);
  const auto& first = stage(status, "source");
  EXPECT_GT(first.ledger.in(State::kWaitCredit), 0us);
  EXPECT_EQ(first.wait_credit_ns[1], 0);  // not its edge
}

/// Emits after `interval`, sleeping on the clock.
class Ticker final : public Stage {
 public:
  Ticker(Number count, Nanoseconds interval) : count_(count), interval_(interval) {}
  Out<Number> out{*this, "out"};
  void start(Context& context) override { next_ = context.clock().now() + interval_; }
  void run(Context& context) override {
    if (context.clock().now() < next_) return context.wake_at(next_);
    context.emit(out, Number{number_});
    next_ += interval_;
    if (++number_ == count_) context.end();
  }

 private:
  Number count_;
  Nanoseconds interval_;
  Nanoseconds next_{};
  Number number_ = 0;
};

TEST(SerialLedgerTest, CountsAWaitForTheClockAsInputOutput) {
  test::StepClock clock;
  Graph graph("ticks");
  auto& ticker = graph.add<Ticker>("ticker", 5, 100us);
  auto& sink = graph.add<Keep>("sink", test::make_list());
  graph.connect(ticker.out, sink.in);
  const auto session =
      start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock});
  ASSERT_TRUE(session->wait(test::kLong));
  const auto status = session->status();
  EXPECT_EQ(stage(status, "ticker").ledger.in(State::kWaitIo), 500us);
  EXPECT_EQ(stage(status, "ticker").num_runs, 5);
  EXPECT_EQ(stage(status, "sink").ledger.in(State::kWaitInput), 500us);
}

TEST(SerialLedgerTest, BlamesTheInputThatComesLast) {
  test::StepClock clock;
  Graph graph("late");
  auto& fast = graph.add<Ticker>("fast", 5, 10us);
  auto& slow = graph.add<Ticker>("slow", 5, 100us);
  auto& join = graph.add<test::Pair>("join");
  auto& sink = graph.add<Keep>("sink", test::make_list());
  graph.connect(fast.out, join.left);
  graph.connect(slow.out, join.right);
  graph.connect(join.out, sink.in);
  const auto session =
      start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock});
  ASSERT_TRUE(session->wait(test::kLong));
  EXPECT_THAT(stage(session->status(), "join").wait_input_ns,
              ElementsAre(0, Nanoseconds(500us).count()));
}

TEST(SerialLedgerTest, BlamesTheInputThatAStageWaitsForNow) {
  test::StepClock clock;
  Graph graph("late");
  auto& fast = graph.add<Ticker>("fast", 5, 10us);
  auto& never = graph.add<Ticker>("never", 5, 3600s);
  auto& join = graph.add<test::Pair>("join");
  auto& sink = graph.add<Keep>("sink", test::make_list());
  graph.connect(fast.out, join.left);
  graph.connect(never.out, join.right);
  graph.connect(join.out, sink.in);
  const auto session =
      start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock});
  EXPECT_FALSE(session->wait(1s));
  const auto status = session->status();
  EXPECT_EQ(stage(status, "join").wait_input_ns[1],
            stage(status, "join").ledger.in(State::kWaitInput).count());
  EXPECT_GE(stage(status, "fast").wait_credit_ns[0], Nanoseconds(999ms).count());
  session->stop();
}

TEST_P(LedgerTest, ClosesOnARealRun) {
  Graph graph("real");
  auto& source = graph.add<Count>("source", 20000);
  auto& twice = graph.add<test::Apply>("twice", [](Number x) { return 2 * x; });
  auto& sink = graph.add<Keep>("sink", test::make_list());
  graph.connect(source.out, twice.in);
  graph.connect(twice.out, sink.in, {.credit = 64});
  const auto session = begin(std::move(graph));
  ASSERT_TRUE(session->wait(test::kLong));
  const auto status = session->status();
  for (const auto& one : status.stages) {
    SCOPED_TRACE(one.stage);
    const auto wall = (one.ledger.at - one.ledger.opened).count();
    EXPECT_EQ(sum_of(one.ledger.times), wall);  // exact, so certainly within 0.1 %
    EXPECT_EQ(one.ledger.state, State::kOff);
    EXPECT_EQ(one.num_runs, 20000);
    EXPECT_EQ(sum_of(one.wait_input_ns), one.ledger.in(State::kWaitInput).count());
    EXPECT_EQ(sum_of(one.wait_credit_ns), one.ledger.in(State::kWaitCredit).count());
  }
}

TEST_P(LedgerTest, CanBeSwitchedOff) {
  Graph graph("off");
  auto& source = graph.add<Count>("source", 100);
  auto& sink = graph.add<Keep>("sink", test::make_list());
  graph.connect(source.out, sink.in);
  auto options = engine();
  options.ledger = false;
  const auto session = start(Plan(std::move(graph)), options);
  ASSERT_TRUE(session->wait(test::kLong));
  const auto status = session->status();
  EXPECT_EQ(status.stages[0].ledger.in(State::kBusyCpu), 0ns);
  EXPECT_EQ(status.stages[0].num_runs, 100);
}

}  // namespace
}  // namespace askos::dataflow
