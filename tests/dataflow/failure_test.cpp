// SPDX-License-Identifier: Apache-2.0
// What happens when a stage throws, or does not keep to its ports.
#include "dataflow/support/engines.hpp"
#include "dataflow/support/stages.hpp"

#include <askos/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace askos::dataflow {
namespace {

using test::Count;
using test::Keep;
using test::Number;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FailureTest : public test::EngineTest {};

/// What a `Tricky` stage does and how often it was called.
struct Tricks {
  std::function<void(Number)> on_take = [](Number) {};
  std::function<void(int)> on_start = [](int) {};
  bool throw_in_finish = false;
  int num_starts = 0;
  int num_finishes = 0;
};

class Tricky final : public Stage {
 public:
  explicit Tricky(std::shared_ptr<Tricks> tricks) : tricks_(std::move(tricks)) {}
  In<Number> in{*this, "in"};
  Out<Number> out{*this, "out"};

  void start(Context& /*context*/) override { tricks_->on_start(tricks_->num_starts++); }
  void run(Context& context) override {
    const auto packet = context.take(in);
    tricks_->on_take(*packet);
    context.emit(out, *packet, packet.meta);
  }
  void finish(Context& /*context*/) override {
    ++tricks_->num_finishes;
    if (tricks_->throw_in_finish) throw Error(Errc::kEnvironment, "disk full");
  }

 private:
  std::shared_ptr<Tricks> tricks_;
};

void fail_at_three(Number number) {
  if (number == 3) throw Error(Errc::kCorruptData, "bad block").with("number", number);
}

struct Result {
  Outcome outcome;
  std::vector<Number> kept;
};

class PolicyTest : public FailureTest {
 protected:
  Result run_with(StageOptions options) {
    const auto kept = test::make_list();
    Graph graph("tricky");
    auto& source = graph.add<Count>("source", 6);
    auto& tricky = graph.add<Tricky>("tricky", tricks);
    auto& sink = graph.add<Keep>("sink", kept);
    graph.connect(source.out, tricky.in);
    graph.connect(tricky.out, sink.in);
    graph.configure(tricky, options);
    auto outcome = run(std::move(graph));
    return {std::move(outcome), *kept};
  }
  std::shared_ptr<Tricks> tricks = std::make_shared<Tricks>();
};
ASKOS_TEST_ON_BOTH_ENGINES(PolicyTest);

TEST_P(PolicyTest, StopNamesStageSampleAndError) {
  tricks->on_take = fail_at_three;
  const auto [outcome, kept] = run_with({});
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.failure->stage, "tricky");
  EXPECT_EQ(outcome.failure->sample, SampleId{3});
  EXPECT_STREQ(outcome.failure->error.what(), "bad block: number=3");
  EXPECT_EQ(tricks->num_finishes, 0);  // nothing is completed after a failure
}

TEST_P(PolicyTest, SkipDropsThePacketAndCountsIt) {
  tricks->on_take = fail_at_three;
  const auto [outcome, kept] = run_with({.on_failure = FailurePolicy::kSkip});
  EXPECT_TRUE(outcome.ok());
  ASSERT_EQ(outcome.skipped.size(), 1U);
  EXPECT_EQ(outcome.skipped[0].sample, SampleId{3});
  EXPECT_THAT(kept, ElementsAre(0, 1, 2, 4, 5));
  EXPECT_EQ(tricks->num_finishes, 1);
}

TEST_P(PolicyTest, RestartRunsStartAgain) {
  tricks->on_take = fail_at_three;
  const auto [outcome, kept] = run_with({.on_failure = FailurePolicy::kRestart});
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(tricks->num_starts, 2);
  EXPECT_EQ(outcome.skipped.size(), 1U);
  EXPECT_THAT(kept, ElementsAre(0, 1, 2, 4, 5));
}

TEST_P(PolicyTest, RestartGivesUpAfterItsNumber) {
  tricks->on_take = [](Number) { throw std::runtime_error("always"); };
  const auto [outcome, kept] = run_with({.on_failure = FailurePolicy::kRestart, .max_restarts = 2});
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(tricks->num_starts, 3);
  EXPECT_EQ(outcome.skipped.size(), 2U);
  EXPECT_EQ(outcome.failure->error.code(), Errc::kInternal);
}

TEST_P(PolicyTest, RestartCoversAStartThatFails) {
  tricks->on_start = [](int before) {
    if (before == 0) throw Error(Errc::kEnvironment, "not yet");
  };
  const auto [outcome, kept] = run_with({.on_failure = FailurePolicy::kRestart});
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(kept.size(), 6U);
}

TEST_P(PolicyTest, AStartThatFailsCannotBeSkipped) {
  tricks->on_start = [](int) { throw Error(Errc::kEnvironment, "no device"); };
  const auto [outcome, kept] = run_with({.on_failure = FailurePolicy::kSkip});
  ASSERT_FALSE(outcome.ok());
  EXPECT_STREQ(outcome.failure->error.what(), "no device");
}

TEST_P(PolicyTest, AFinishThatFailsIsAFailure) {
  tricks->throw_in_finish = true;
  const auto [outcome, kept] = run_with({});
  ASSERT_FALSE(outcome.ok());
  EXPECT_STREQ(outcome.failure->error.what(), "disk full");
}

/// Does whatever a test wants in its only run.
class Script final : public Stage {
 public:
  using Body = std::function<void(Script&, Context&)>;
  explicit Script(Body body, Contract in_contract = {}, Contract out_contract = {})
      : in(*this, "in", std::move(in_contract)),
        out(*this, "out", std::move(out_contract)),
        body_(std::move(body)) {}
  In<Number> in;
  Out<Number> out;
  void run(Context& context) override { body_(*this, context); }

 private:
  Body body_;
};

class PortTest : public FailureTest {
 protected:
  std::string failure_of(Script::Body body, Contract in = {}, Contract out = {}) {
    Graph graph("script");
    auto& source = graph.add<Count>("source", 8);
    auto& script = graph.add<Script>("script", std::move(body), in, out);
    auto& sink = graph.add<Keep>("sink", test::make_list());
    graph.connect(source.out, script.in, {.credit = 4});
    graph.connect(script.out, sink.in, {.credit = 4});
    const auto outcome = run(std::move(graph));
    return outcome.ok() ? "" : outcome.failure->error.what();
  }
};
ASKOS_TEST_ON_BOTH_ENGINES(PortTest);

TEST_P(PortTest, RefusesAPacketTooMany) {
  EXPECT_EQ(failure_of([](Script& stage, Context& context) {
              (void)context.take(stage.in);
              (void)context.take(stage.in);
            }),
            "run takes more packets than its port says: port=in, rate=1");
  EXPECT_EQ(failure_of([](Script& stage, Context& context) {
              (void)context.take(stage.in);
              context.emit(stage.out, Number{1});
              context.emit(stage.out, Number{2});
            }),
            "run emits more packets than its port says: port=out, rate=1");
}

TEST_P(PortTest, RefusesAPacketTooFew) {
  EXPECT_EQ(failure_of([](Script& stage, Context& context) { (void)context.take(stage.in); }),
            "run emitted fewer packets than its ports say");
  EXPECT_EQ(failure_of([](Script& stage, Context& context) { context.emit(stage.out, Number{1}); }),
            "run left packets that its ports say it takes");
  EXPECT_EQ(failure_of(
                [](Script& stage, Context& context) {
                  (void)context.take(stage.in);
                  context.emit(stage.out, Number{1});
                },
                {.rate = 2}),
            "run left packets that its ports say it takes");
}

TEST_P(PortTest, LetsARunThatIsNotReadyDoNothing) {
  auto num_calls = std::make_shared<int>(0);
  EXPECT_EQ(failure_of([num_calls](Script& stage, Context& context) {
              if (++*num_calls % 2 == 1) {
                context.wake_at(context.clock().now());
                return;
              }
              const auto packet = context.take(stage.in);
              context.emit(stage.out, *packet, packet.meta);
            }),
            "");
  EXPECT_EQ(*num_calls, 16);
}

TEST_P(PortTest, RefusesAPayloadLargerThanItsPortSays) {
  EXPECT_THAT(failure_of(
                  [](Script& stage, Context& context) {
                    (void)context.take(stage.in);
                    context.emit(stage.out, Number{1}, {.host_bytes = {101}});
                  },
                  {}, {.host_bytes = {100}}),
              HasSubstr("payload is larger than its port says: port=out, found='101 B'"));
}

TEST_P(PortTest, DataDependentOutputsMayStayEmpty) {
  EXPECT_EQ(failure_of(
                [](Script& stage, Context& context) {
                  const auto packet = context.take(stage.in);
                  if (*packet % 2 == 0) context.emit(stage.out, *packet);
                },
                {}, {.rate = 0}),
            "");
}

// On the serial engine the source runs twice before anybody takes.
TEST(SerialFailureTest, AFullEdgeThatFailsStopsItsProducer) {
  Graph graph("full");
  auto& source = graph.add<Count>("source", 8, Contract{.rate = 4});
  auto& sink = graph.add<Keep>("sink", test::make_list(), Contract{.rate = 4});
  graph.connect(source.out, sink.in, {.credit = 4, .policy = EdgePolicy::kFail});
  const auto session = start(Plan(std::move(graph)), {.kind = EngineKind::kSerial});
  const auto outcome = session->wait(test::kLong);
  ASSERT_TRUE(outcome);
  ASSERT_FALSE(outcome->ok());
  EXPECT_STREQ(outcome->failure->error.what(), "edge is full: edge=source.out>sink.in");
  EXPECT_EQ(outcome->failure->error.code(), Errc::kStalled);
  EXPECT_EQ(outcome->num_undelivered, 4);
}

}  // namespace
}  // namespace askos::dataflow
