// SPDX-License-Identifier: Apache-2.0
// Faults that are injected on purpose: when they strike, and what becomes of the graph.
#include "dataflow/support/engines.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/graph_file.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace askos::dataflow {
namespace {

using ::testing::HasSubstr;

/// Counts from 1 the events out of `num_events` that a fault strikes.
std::vector<int> struck(const Fault& fault, int num_events, int rank = 0) {
  FaultTrigger trigger(fault, rank);
  std::vector<int> events;
  for (int event = 1; event <= num_events; ++event) {
    if (trigger.strikes(event * std::chrono::seconds(1))) events.push_back(event);
  }
  return events;
}

TEST(FaultTrigger, StrikesAtPacketsTimesAndChances) {
  using Events = std::vector<int>;
  EXPECT_EQ(struck({.packet = 3}, 9), (Events{3}));
  EXPECT_EQ(struck({.packet = 3, .times = 2}, 9), (Events{3, 4}));
  EXPECT_EQ(struck({.after = std::chrono::seconds(8)}, 9), (Events{8, 9}));
  EXPECT_EQ(struck({.times = 1, .after = std::chrono::seconds(8)}, 9), (Events{8}));
  EXPECT_TRUE(struck({.probability = 0}, 99).empty());
  const auto some = struck({.probability = 0.25}, 400);
  EXPECT_GT(some.size(), 60u);
  EXPECT_LT(some.size(), 140u);
  EXPECT_EQ(struck({.probability = 0.25}, 400), some);
  EXPECT_NE(struck({.probability = 0.25, .seed = 2}, 400), some);
  EXPECT_NE(struck({.probability = 0.25}, 400, /*rank=*/1), some);
}

TEST(Fault, ComesBackFromAFileAndNamesWhatIsWrong) {
  const Fault fault{.kind = FaultKind::kSlow,
                    .stage = "work",
                    .operation = "",
                    .rank = 2,
                    .packet = 7,
                    .times = 3,
                    .after = std::chrono::seconds(2),
                    .probability = 0.5,
                    .seed = 11,
                    .delay = std::chrono::milliseconds(5)};
  EXPECT_EQ(make_fault(to_arguments(fault)), fault);
  const auto refusal = [](const Arguments& entries) -> std::string {
    try {
      (void)make_fault(entries);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal({{"kind", "kil"}, {"stage", "a"}}), HasSubstr("not one of the choices"));
  EXPECT_THAT(refusal({{"kind", "kill"}}), HasSubstr("missing key: key=stage"));
  EXPECT_THAT(refusal({{"kind", "kill"}, {"stage", "a"}, {"pakket", std::int64_t{1}}}),
              HasSubstr("nearest=packet"));
  EXPECT_THAT(refusal({{"kind", "kill"}, {"stage", "a"}, {"probability", 1.5}}),
              HasSubstr("expected='0 to 1'"));
}

constexpr const char* kChain = R"(
graph = "chain"
stages = [
  { name = "source", type = "source", args = { count = 20 } },
  { name = "work", type = "work" },
  { name = "sink", type = "sink", args = { check = true } },
]
edges = [{ from = "source.out", to = "work.in" }, { from = "work.out", to = "sink.in" }]
)";

StageCatalog catalog() {
  StageCatalog stages;
  synthetic::add_stage_types(stages);
  return stages;
}

/// The chain with one fault; its keys as in a file.
GraphFile chain(const std::string& fault) {
  return parse_graph(kChain + ("faults = [{ " + fault + " }]\n"), catalog());
}

std::string plan_fault(const std::string& fault) {
  try {
    const Plan plan(chain(fault).graph);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kPlanRefused);
    return error.what();
  }
  return "";
}

TEST(FaultInFile, IsSavedAndRefusedWhereItCannotStrike) {
  const auto file = chain(R"(kind = "slow", stage = "work", packet = 3, delay = "1 ms")");
  EXPECT_THAT(save_graph(file.graph), HasSubstr(R"(kind = "slow")"));
  EXPECT_EQ(save_graph(parse_graph(save_graph(file.graph), catalog()).graph),
            save_graph(file.graph));
  EXPECT_THAT(plan_fault(R"(kind = "corrupt", stage = "sink")"), HasSubstr("cannot strike"));
  EXPECT_THAT(plan_fault(R"(kind = "io-error", stage = "work", operation = "read")"),
              HasSubstr("cannot strike"));
  EXPECT_THROW((void)chain(R"(kind = "kill", stage = "wrok")"), Error);
}

class InjectedFault : public test::EngineTest {};

TEST_P(InjectedFault, FailsTheStageOrIsSkippedAsItsPolicySays) {
  const std::string fault = R"(kind = "io-error", stage = "work", packet = 5, times = 2)";
  const auto failed = run(chain(fault).graph);
  ASSERT_TRUE(failed.failure.has_value());
  EXPECT_EQ(failed.failure->stage, "work");
  EXPECT_EQ(failed.failure->error.code(), Errc::kEnvironment);
  EXPECT_THAT(failed.failure->error.what(), HasSubstr("injected=io-error"));

  auto skipping = parse_graph(kChain + ("faults = [{ " + fault + " }]\n"), catalog(),
                              {"stages.work.on_failure=skip"});
  const auto& sink =
      dynamic_cast<const synthetic::Sink&>(*skipping.graph.find_stage("sink")->stage);
  const auto session = begin(std::move(skipping.graph));
  ASSERT_TRUE(session->wait(test::kLong).has_value());
  EXPECT_EQ(sink.num_packets(), 18);
}

TEST_P(InjectedFault, DamagesAPayloadThatItsReaderRefuses) {
  const auto outcome = run(chain(R"(kind = "corrupt", stage = "source", packet = 4)").graph);
  ASSERT_TRUE(outcome.failure.has_value());
  EXPECT_EQ(outcome.failure->stage, "sink");
  EXPECT_EQ(outcome.failure->error.code(), Errc::kCorruptData);
}

TEST_P(InjectedFault, MakesAStageSlowButLosesNothing) {
  auto file = chain(R"(kind = "slow", stage = "work", times = 3, delay = "2 ms")");
  const auto& sink = dynamic_cast<const synthetic::Sink&>(*file.graph.find_stage("sink")->stage);
  const auto session = begin(std::move(file.graph));
  const auto outcome = session->wait(test::kLong);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_FALSE(outcome->failure.has_value());
  EXPECT_EQ(sink.num_packets(), 20);
  const auto status = session->status();
  const auto& ledger = status.stages[1].ledger;
  // On a machine that is busy, some of the delay is spent waiting for a thread.
  const auto delayed = ledger.in(telemetry::State::kWaitIo) +
                       ledger.in(telemetry::State::kWaitSched) +
                       ledger.in(telemetry::State::kBusyCpu);
  EXPECT_GT(ledger.in(telemetry::State::kWaitIo), Nanoseconds::zero());
  EXPECT_GE(delayed, std::chrono::milliseconds(6));
}

TEST_P(InjectedFault, OnAnotherRankDoesNothing) {
  const auto outcome = run(chain(R"(kind = "io-error", stage = "work", rank = 1)").graph);
  EXPECT_FALSE(outcome.failure.has_value());
}

TEST_P(InjectedFault, HangsUntilTheSessionIsStopped) {
  const auto session = begin(chain(R"(kind = "hang", stage = "work", packet = 5)").graph);
  const auto sent = [&] { return session->status().stages[0].num_runs; };
  const auto deadline = steady_clock().now() + test::kLong;
  while (sent() < 6 && steady_clock().now() < deadline) {
    (void)session->wait(std::chrono::microseconds(1));
  }
  EXPECT_EQ(sent(), 6);  // two that nobody takes any more
  EXPECT_EQ(session->status().stages[1].num_runs, 4);
  const auto drained = session->drain(std::chrono::milliseconds(50));
  ASSERT_TRUE(drained.failure.has_value());
  EXPECT_EQ(drained.failure->error.code(), Errc::kStalled);
}

TEST_P(InjectedFault, KillsTheProcess) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT((void)run(chain(R"(kind = "kill", stage = "work", packet = 5)").graph),
              ::testing::KilledBySignal(SIGKILL), "");
}

ASKOS_TEST_ON_BOTH_ENGINES(InjectedFault);

}  // namespace
}  // namespace askos::dataflow
