// SPDX-License-Identifier: Apache-2.0
// Arguments of stages that change while the graph runs.
#include "dataflow/stepping_clock.hpp"
#include "inspector_verbs.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

/// source -> work (5 ms) -> sink on virtual time.
class ArgumentChangeTest : public ::testing::Test {
 protected:
  ArgumentChangeTest() {
    Graph graph("chain");
    auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{});
    auto& work =
        graph.add<synthetic::Work>("work", synthetic::WorkOptions{.service = {.time = 5ms}});
    auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{});
    graph.connect(source.out, work.in);
    graph.connect(work.out, sink.in);
    session_ = start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock_});
    sessions_.push_back({.number = 1, .session = session_.get(), .history = {}});
  }
  ~ArgumentChangeTest() override { session_->stop(); }

  [[nodiscard]] std::int64_t runs_in(Nanoseconds time) const {
    const auto before = session_->status().stages.at(1).num_runs;
    (void)session_->wait(time);
    return session_->status().stages.at(1).num_runs - before;
  }
  [[nodiscard]] json ask(const json& request) const {
    return json::parse(answer(request.dump(), sessions_));
  }
  [[nodiscard]] std::string refusal(const json& stage, const json& name, const json& value) const {
    const auto reply =
        ask({{"verb", "set"}, {"stage", stage}, {"argument", name}, {"value", value}});
    EXPECT_EQ(reply["ok"], false);
    return reply["error"]["message"].get<std::string>();
  }

  SteppingClock clock_;
  std::unique_ptr<Session> session_;
  std::vector<InspectedSession> sessions_;
};

TEST_F(ArgumentChangeTest, TakesEffectFromTheNextRunOn) {
  EXPECT_NEAR(static_cast<double>(runs_in(1s)), 200, 2);
  const auto reply = ask(
      {{"verb", "set"}, {"stage", "work"}, {"argument", "service"}, {"value", "20 ms"}})["result"];
  EXPECT_EQ(reply["before"], "5 ms");
  EXPECT_EQ(reply["value"], "20 ms");
  EXPECT_NEAR(static_cast<double>(runs_in(1s)), 50, 2);
  EXPECT_NEAR(static_cast<double>(runs_in(1s)), 50, 1);
  const auto again = session_->control().change_argument("work", "service", "5 ms");
  EXPECT_EQ(std::get<std::string>(again.before), "20 ms");
}

TEST_F(ArgumentChangeTest, ASourceChangesItsPace) {
  (void)session_->control().change_argument("work", "service", "0 s");
  (void)session_->control().change_argument("source", "interval", "100 ms");
  (void)runs_in(1s);
  EXPECT_NEAR(static_cast<double>(runs_in(1s)), 10, 1);
}

TEST_F(ArgumentChangeTest, WhatAStageDoesNotTakeIsRefusedWithTheReason) {
  EXPECT_THAT(refusal("work", "batch", 4),
              HasSubstr("argument cannot change while the stage runs: argument=batch, "
                        "can='service, distribution, spread'"));
  EXPECT_THAT(refusal("work", "service", "quick"), HasSubstr("stage=work"));
  EXPECT_THAT(refusal("work", "service", 5), HasSubstr("value of the wrong kind"));
  EXPECT_THAT(refusal("work", "distribution", "pareo"), HasSubstr("not one of the choices"));
  EXPECT_THAT(refusal("wrk", "service", "5 ms"), HasSubstr("nearest=work"));
  EXPECT_THAT(refusal("work", "service", json::array()), HasSubstr("key of the wrong type"));
  (void)session_->control().change_argument("work", "distribution", "pareto");
  (void)runs_in(100ms);
  EXPECT_THAT(refusal("work", "spread", 0.5), HasSubstr("its spread must exceed 1"));
}

TEST_F(ArgumentChangeTest, WhatIsRecordedBeginsAnew) {
  auto& control = session_->control();
  control.record("work", Rank{0}, 5);
  (void)runs_in(100ms);
  EXPECT_GE(control.recording_status("work", Rank{0}).num_runs, 5);
  (void)control.change_argument("work", "service", "1 ms");
  (void)runs_in(3ms);
  EXPECT_LE(control.recording_status("work", Rank{0}).num_runs, 4);
}

TEST_F(ArgumentChangeTest, NothingOfAnEndedStageCanChange) {
  (void)session_->drain(1s);
  EXPECT_THAT(refusal("work", "service", "1 ms"), HasSubstr("stage has ended"));
}

}  // namespace
}  // namespace askos::dataflow
