// SPDX-License-Identifier: Apache-2.0
// Control between processes, in one process: each end has an actor system of its own.
#include <askos/base/error.hpp>
#include <askos/dataflow/control_network.hpp>
#include <askos/dataflow/inspector.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace askos::dataflow {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using Json = nlohmann::json;

/// Waits until `holds`, with a deadline.
bool comes_true(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + 40s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A session of rank `rank` that runs until it is drained.
std::unique_ptr<Session> endless(int rank, OperatorTracing trace_operators = {}) {
  Graph graph("endless");
  auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{.interval = 1ms});
  auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{});
  graph.connect(source.out, sink.in);
  std::vector<Graph> one;
  one.push_back(std::move(graph));
  return start(Plan(std::move(one), {}, Rank{rank}),
               {.trace_operators = std::move(trace_operators)});
}

TEST(ControlNetwork, ShowsTheStagesOfAllProcesses) {
  const auto folder =
      std::filesystem::path(::testing::TempDir()) / ("control-" + std::to_string(::getpid()));
  const auto hub = std::make_shared<ControlHub>("127.0.0.1", 2, 1ms);
  ControlMember second(hub->address(), 1);
  ControlMember third(ControlAddress::of(hub->address().to_text()), 2);
  const auto own = endless(0);
  const auto other = endless(1);
  const auto another = endless(2);
  const auto shown = second.attach(*other);
  const auto also_shown = third.attach(*another);
  const Inspector inspector({.folder = folder, .peers = hub});
  const auto attachment = inspector.attach(*own);
  ASSERT_TRUE(comes_true([&] { return hub->readings(1).size() == 2; }));

  const auto ask_json = [&](const char* request) {
    return Json::parse(ask(inspector.socket(), request)).at("result");
  };
  const auto top = ask_json(R"({"verb":"top"})");
  ASSERT_EQ(top.at("stages").size(), 6U);
  for (const int rank : {0, 1, 2}) {
    EXPECT_EQ(top.at("stages").at(static_cast<std::size_t>(2 * rank)).at("rank"), rank);
  }
  const auto ps = ask_json(R"({"verb":"ps"})").at(0);
  EXPECT_EQ(ps.at("ranks"), 3);
  ASSERT_EQ(ps.at("processes").size(), 2U);
  EXPECT_EQ(ps.at("processes").at(1).at("rank"), 2);
  // Both ends read one clock here: its offset must be 0 within the error that is claimed.
  for (const auto& process : hub->processes()) {
    EXPECT_LE(std::chrono::abs(process.clock_offset), process.clock_error);
    EXPECT_LT(process.clock_error, 40s);
  }
  const auto trace = ask_json(R"({"verb":"trace"})");
  EXPECT_EQ(trace.at("tracks").size(), 6U);
  EXPECT_EQ(trace.at("overlap").size(), 3U) << "events of all ranks";
  EXPECT_GT(trace.at("clock_error_ns"), 0);
  EXPECT_TRUE(comes_true([&] {
    const auto answer = ask_json(R"({"verb":"why","stage":"sink"})").at("text").get<std::string>();
    return ::testing::Matches(ContainsRegex("sink@[012] waited"))(answer);
  }));
}

TEST(ControlNetwork, TracesTheOperatorsOfAllProcessesAndNoLongerThanAsked) {
  const auto folder =
      std::filesystem::path(::testing::TempDir()) / ("operators-" + std::to_string(::getpid()));
  const auto hub = std::make_shared<ControlHub>("127.0.0.1", 1, 1ms);
  ControlMember second(hub->address(), 1);
  std::atomic<int> num_begun{0};
  std::atomic<int> num_on{0};
  const auto switch_on = [&] {
    ++num_begun;
    ++num_on;
    return std::shared_ptr<void>(nullptr, [&](void*) { --num_on; });
  };
  const auto own = endless(0, switch_on);
  const auto other = endless(1, switch_on);
  const auto shown = second.attach(*other);
  const Inspector inspector({.folder = folder, .peers = hub});
  const auto attachment = inspector.attach(*own);
  const auto answer = ask(inspector.socket(), R"({"verb":"trace_operators","for_s":0.001})");
  EXPECT_TRUE(Json::parse(answer).at("ok")) << answer;
  EXPECT_EQ(num_begun, 2);
  EXPECT_TRUE(comes_true([&] { return num_on == 0; }));
}

TEST(ControlNetwork, TakesNobodyInWithoutTheToken) {
  const ControlHub hub("127.0.0.1", 1, 1ms);
  auto forged = hub.address();
  forged.token.back() = forged.token.back() == '0' ? '1' : '0';
  try {
    const ControlMember member(forged, 1);
    FAIL() << "it was taken in";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kEnvironment);
    EXPECT_THAT(error.what(), HasSubstr("another run token"));
  }
  EXPECT_TRUE(hub.processes().empty());
}

TEST(ControlNetwork, NamesAnAddressWhereNobodyListens) {
  ControlAddress gone;
  {
    const ControlHub hub("127.0.0.1", 1);
    gone = hub.address();
  }
  try {
    const ControlMember member(gone, 1);
    FAIL() << "somebody was there";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kEnvironment);
    EXPECT_THAT(error.what(), HasSubstr("address=127.0.0.1:" + std::to_string(gone.port)));
  }
}

}  // namespace
}  // namespace askos::dataflow
