// SPDX-License-Identifier: Apache-2.0
// A plan inside a host's own actor system.
#include "caf/caf_compat.hpp"
#include "dataflow/support/stages.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/caf.hpp>

#include <caf/all.hpp>
#include <gtest/gtest.h>

#include <limits>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using caf_compat::request;
using test::Count;
using test::Keep;
using test::Number;

class CafTest : public ::testing::Test {
 protected:
  CafTest() : system_(configure()) {}

  static caf::actor_system_config& configure() {
    init_caf_types();
    init_caf_types();  // does no harm
    static caf::actor_system_config config;
    config.set("caf.scheduler.max-threads", 2);
    config.set("caf.scheduler.max-throughput", 1);
    return config;
  }
  static Plan counting(const std::shared_ptr<std::vector<Number>>& kept, Number end) {
    Graph graph("counting");
    auto& source = graph.add<Count>("source", end);
    auto& sink = graph.add<Keep>("sink", kept, Contract{}, Threading::kDedicated);
    graph.connect(source.out, sink.in);
    return Plan(std::move(graph));
  }
  /// Asks `session` and waits for its answer.
  template <typename Answer, typename... Message>
  Answer ask(const caf::actor& session, const Message&... message) {
    caf::scoped_actor self{system_};
    Answer answer{};
    request(self, session, 60s, message...)
        .receive([&](Answer& given) { answer = std::move(given); },
                 [](const caf::error& error) { FAIL() << caf::to_string(error); });
    return answer;
  }

  caf::actor_system system_;
};

TEST_F(CafTest, TellsWhenItIsDone) {
  const auto kept = test::make_list();
  const auto session = spawn_session(system_, counting(kept, 1000));
  EXPECT_TRUE(ask<Outcome>(session, done_atom_v).ok());
  EXPECT_EQ(kept->size(), 1000U);
  EXPECT_TRUE(ask<Outcome>(session, done_atom_v).ok());  // and again
  EXPECT_EQ(ask<SessionStatus>(session, status_atom_v).state, "done");
  caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
}

TEST_F(CafTest, ShowsItsStatusWhileItRuns) {
  const auto session =
      spawn_session(system_, counting(test::make_list(), std::numeric_limits<Number>::max()));
  const auto status = ask<SessionStatus>(session, status_atom_v);
  EXPECT_EQ(status.graph, "counting");
  EXPECT_EQ(status.state, "running");
  EXPECT_EQ(status.stages.size(), 2U);
  caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
}

TEST_F(CafTest, Drains) {
  const auto kept = test::make_list();
  const auto session = spawn_session(system_, counting(kept, std::numeric_limits<Number>::max()));
  const auto outcome = ask<Outcome>(session, drain_atom_v, Nanoseconds(60s));
  EXPECT_TRUE(outcome.ok());
  EXPECT_EQ(outcome.num_undelivered, 0);
  caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
}

TEST_F(CafTest, Stops) {
  const auto session =
      spawn_session(system_, counting(test::make_list(), std::numeric_limits<Number>::max()));
  caf_compat::send(session, stop_atom_v);
  EXPECT_TRUE(ask<Outcome>(session, done_atom_v).ok());
  caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
}

/// Sleeps until it is told to stop.
class Sleeper final : public Stage {
 public:
  Out<Number> out{*this, "out"};
  void run(Context& context) override {
    running_ = true;
    while (!stop_) std::this_thread::yield();
    context.end();
  }
  [[nodiscard]] Threading threading() const override { return Threading::kDedicated; }
  static inline std::atomic<bool> running_{false};
  static inline std::atomic<bool> stop_{false};
};

TEST_F(CafTest, ReportsADrainThatMissesItsDeadline) {
  Graph graph("stuck");
  auto& sleeper = graph.add<Sleeper>("sleeper");
  auto& sink = graph.add<Keep>("sink", test::make_list());
  graph.connect(sleeper.out, sink.in);
  const auto session = spawn_session(system_, Plan(std::move(graph)));
  while (!Sleeper::running_) std::this_thread::yield();
  const auto outcome = ask<Outcome>(session, drain_atom_v, Nanoseconds(10ms));
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.failure->error.code(), Errc::kStalled);
  Sleeper::stop_ = true;
  EXPECT_FALSE(ask<Outcome>(session, done_atom_v).ok());
  caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
}

TEST_F(CafTest, EndsItsStagesWhenItIsToldToExit) {
  const auto session =
      spawn_session(system_, counting(test::make_list(), std::numeric_limits<Number>::max()));
  caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
  system_.await_all_actors_done();  // would hang if a stage went on
}

TEST_F(CafTest, SendsOutcomesAndStatusesAsBytes) {
  Outcome outcome;
  outcome.failure = StageFailure{"read", Rank{3}, SampleId{17},
                                 Error(Errc::kCorruptData, "bad block").with("at", 5)};
  outcome.skipped.push_back({"part", Rank{1}, {}, Error(Errc::kInternal, "odd")});
  outcome.num_undelivered = 2;
  outcome.undelivered_on = {"a.out>b.in"};
  const auto message = caf::make_message(outcome);
  caf_compat::ByteBuffer buffer;
  caf::binary_serializer sink{system_, buffer};
  ASSERT_TRUE(sink.apply(message));
  caf::binary_deserializer source{system_, buffer};
  caf::message copy;
  ASSERT_TRUE(source.apply(copy));
  const auto& read = copy.get_as<Outcome>(0);
  ASSERT_TRUE(read.failure);
  EXPECT_EQ(read.failure->stage, "read");
  EXPECT_EQ(read.failure->rank, Rank{3});
  EXPECT_EQ(read.failure->sample, SampleId{17});
  EXPECT_EQ(read.failure->error.code(), Errc::kCorruptData);
  EXPECT_STREQ(read.failure->error.what(), "bad block: at=5");
  ASSERT_EQ(read.skipped.size(), 1U);
  EXPECT_EQ(read.undelivered_on, outcome.undelivered_on);
}

}  // namespace
}  // namespace askos::dataflow
