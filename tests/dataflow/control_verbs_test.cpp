// SPDX-License-Identifier: Apache-2.0
// Verbs that hold and change a graph, answered without a socket; and what hostile clients send.
#include "dataflow/stepping_clock.hpp"
#include "dataflow/support/engines.hpp"
#include "inspector_verbs.hpp"

#include <askos/base/error.hpp>
#include <askos/dataflow/inspector.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <random>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

/// source -> slow -> sink on virtual time, with somebody who asks.
class ControlVerbs : public ::testing::Test {
 protected:
  ControlVerbs() {
    Graph graph("chain");
    auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{});
    auto& slow =
        graph.add<synthetic::Work>("slow", synthetic::WorkOptions{.service = {.time = 5ms}});
    auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{});
    graph.connect(source.out, slow.in);
    graph.connect(slow.out, sink.in);
    session_ = start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .clock = &clock_});
    sessions_.push_back({.number = 1, .session = session_.get(), .history = {}});
    (void)session_->wait(100ms);
  }
  ~ControlVerbs() override { session_->stop(); }

  [[nodiscard]] json ask(const json& request, const InspectorRights& rights = {}) const {
    return json::parse(answer(request.dump(), sessions_, rights));
  }
  [[nodiscard]] std::string refusal(const json& request, const InspectorRights& rights = {}) const {
    const auto reply = ask(request, rights);
    EXPECT_EQ(reply["ok"], false) << request;
    return reply["error"]["message"].get<std::string>();
  }

  SteppingClock clock_;
  std::unique_ptr<Session> session_;
  std::vector<InspectedSession> sessions_;
};

TEST_F(ControlVerbs, PauseStepAndResume) {
  auto hold = ask({{"verb", "pause"}, {"debugger", "me"}, {"lease_s", 60}})["result"];
  EXPECT_EQ(hold["debugger"], "me");
  EXPECT_EQ(hold["reason"], "pause");
  EXPECT_GT(hold["lease_left_s"].get<double>(), 50);
  (void)session_->wait(1ms);
  hold = ask({{"verb", "hold"}})["result"];
  EXPECT_EQ(hold["state"], "paused");
  EXPECT_EQ(hold["stages"][1]["stage"], "slow");
  EXPECT_EQ(hold["stages"][1]["state"], "paused");
  EXPECT_EQ(hold["stages"][1]["held"], true);
  EXPECT_EQ(hold["stages"][1]["may_run"], 0);
  EXPECT_EQ(ask({{"verb", "ps"}})["result"][0]["hold"]["debugger"], "me");
  const auto runs = hold["stages"][1]["runs"].get<int>();

  hold = ask({{"verb", "step"}, {"debugger", "me"}, {"count", 3}})["result"];
  EXPECT_EQ(hold["state"], "stepping");
  EXPECT_EQ(hold["stages"][1]["may_run"], 3);
  (void)session_->wait(100ms);
  hold = ask({{"verb", "hold"}})["result"];
  EXPECT_EQ(hold["state"], "paused");
  EXPECT_EQ(hold["stages"][1]["runs"], runs + 3);

  EXPECT_EQ(ask({{"verb", "resume"}, {"debugger", "me"}})["result"]["state"], "running");
  EXPECT_EQ(ask({{"verb", "ps"}})["result"][0]["hold"], nullptr);
  (void)session_->wait(100ms);
  EXPECT_GT(ask({{"verb", "hold"}})["result"]["stages"][1]["runs"], runs + 10);
}

TEST_F(ControlVerbs, SayWhatIsWrong) {
  EXPECT_EQ(refusal({{"verb", "pause"}, {"stage", "slwo"}}),
            "no stage of that name: stage=slwo, nearest=slow");
  EXPECT_EQ(refusal({{"verb", "pause"}, {"stage", 1}}),
            "key of the wrong type: key=stage, expected=text");
  EXPECT_EQ(refusal({{"verb", "pause"}, {"lease_s", -1}}),
            "key is out of range: key=lease_s, expected='0 to 1e6 seconds', found=-1");
  EXPECT_EQ(refusal({{"verb", "step"}, {"count", 1}}), "nothing is paused, so nothing can step");
  EXPECT_EQ(refusal({{"verb", "puase"}}), "unknown verb: verb=puase, nearest=pause");
  (void)ask({{"verb", "pause"}, {"debugger", "me"}});
  EXPECT_THAT(refusal({{"verb", "resume"}, {"debugger", "you"}}),
              HasSubstr("graph is held by another debugger: debugger=me, lease_left="));
  EXPECT_EQ(ask({{"verb", "resume"}, {"debugger", "you"}, {"take_over", true}})["ok"], true);
}

TEST_F(ControlVerbs, AreRefusedByAnInspectorThatIsReadOnly) {
  const InspectorRights rights{.read_only = true};
  for (const std::string verb : {"pause", "resume", "step", "drain", "trace_operators"}) {
    EXPECT_EQ(refusal({{"verb", verb}}, rights),
              "process may be looked at but not changed: verb=" + verb);
  }
  EXPECT_EQ(ask({{"verb", "hold"}}, rights)["result"]["state"], "running");
}

TEST_F(ControlVerbs, NeedTheTokenThatTheInspectorWasGiven) {
  const InspectorRights rights{.token = "secret"};
  for (const char* wrong : {"", "secre", "secret!", "Secret"}) {
    EXPECT_EQ(refusal({{"verb", "hold"}, {"token", wrong}}, rights), "token is missing or wrong");
  }
  EXPECT_EQ(refusal({{"verb", "hold"}}, rights), "token is missing or wrong");
  EXPECT_EQ(ask({{"verb", "hold"}, {"token", "secret"}}, rights)["ok"], true);
}

TEST_F(ControlVerbs, DrainEndsTheGraph) {
  (void)ask({{"verb", "pause"}});
  EXPECT_EQ(ask({{"verb", "drain"}})["result"]["state"], "draining");
  const auto outcome = session_->wait(10s);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->ok());
}

TEST_F(ControlVerbs, DrainThatMissesItsDeadlineIsGivenUp) {
  (void)ask({{"verb", "drain"}, {"deadline_s", 0}});
  (void)session_->control().tend();
  const auto outcome = session_->wait(10s);
  ASSERT_TRUE(outcome.has_value() && outcome->failure.has_value());
  EXPECT_EQ(outcome->failure->error.text(), "drain missed its deadline");
}

TEST_F(ControlVerbs, TraceOperatorsForAWhile) {
  EXPECT_EQ(refusal({{"verb", "trace_operators"}}),
            "graph runs no operators of a numeric library that could be traced");

  std::weak_ptr<void> switched_on;
  Graph graph("chain");
  auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{});
  graph.connect(source.out, graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{}).in);
  const auto session =
      start(Plan(std::move(graph)), {.kind = EngineKind::kSerial, .trace_operators = [&] {
                                       auto guard = std::make_shared<int>();
                                       switched_on = guard;
                                       return guard;
                                     }});
  sessions_ = {{.number = 1, .session = session.get(), .history = {}}};
  const auto is_on = [&] {
    (void)session->control().tend();
    return !switched_on.expired();
  };
  EXPECT_FALSE(is_on());
  EXPECT_EQ(ask({{"verb", "trace_operators"}, {"for_s", 50}})["result"]["for_s"], 50);
  EXPECT_TRUE(is_on());
  (void)ask({{"verb", "trace_operators"}, {"for_s", 0}});
  EXPECT_FALSE(is_on());
  (void)ask({{"verb", "trace_operators"}, {"for_s", 1e-9}});
  EXPECT_FALSE(is_on()) << "nobody has to switch it off";
  EXPECT_EQ(refusal({{"verb", "trace_operators"}, {"for_s", 61}}),
            "operators are traced for a while only: expected='at most 1 min', found='61 s'");
  session->stop();
}

/// Requests that make sense, for the mutations to start from.
std::vector<std::string> sensible_requests() {
  std::vector<std::string> requests;
  for (const json& request : {
           json{{"verb", "ps"}, {"window_ms", 1000}, {"id", 1}},
           json{{"verb", "top"}, {"session", 1}},
           json{{"verb", "why"}, {"stage", "slow"}},
           json{{"verb", "status"}},
           json{{"verb", "dot"}},
           json{{"verb", "hold"}, {"debugger", "me"}},
           json{{"verb", "pause"}, {"stage", "slow"}, {"debugger", "me"}, {"lease_s", 1}},
           json{{"verb", "step"}, {"count", 3}, {"take_over", true}},
           json{{"verb", "resume"}, {"debugger", "me"}},
           json{{"verb", "trace"}, {"last_ms", 5}, {"operators", true}},
           json{{"verb", "trace_operators"}, {"for_s", 1}},
       }) {
    requests.push_back(request.dump());
  }
  return requests;
}

std::string mutate(std::string request, std::mt19937& random) {
  static const std::vector<std::string> words{"null", "-1",     "1e308", "9223372036854775807",
                                              "\"\"", "{}",     "[[[[",  "\xff\xfe",
                                              "true", "\\u0000"};
  for (auto changes = 1 + random() % 4; changes > 0; --changes) {
    const auto at = request.empty() ? 0 : random() % request.size();
    switch (random() % 5) {
      case 0: request.erase(at, 1 + random() % 4); break;
      case 1: request.insert(at, 1, static_cast<char>(random())); break;
      case 2: request.insert(at, words[random() % words.size()]); break;
      case 3: request += request.substr(at); break;
      default:
        if (!request.empty()) request[at] = static_cast<char>(random());
    }
  }
  std::erase(request, '\n');
  return request;
}

TEST_F(ControlVerbs, AnswerAHundredThousandMutatedRequestsAndStillWork) {
  std::mt19937 random(7);
  const auto requests = sensible_requests();
  for (int i = 0; i < 100'000; ++i) {
    const auto request = mutate(requests[random() % requests.size()], random);
    const auto reply = answer(request, sessions_);
    ASSERT_FALSE(reply.empty());
    ASSERT_TRUE(reply.ends_with('}')) << request;
    ASSERT_EQ(reply.find('\n'), std::string::npos) << request;
    ASSERT_TRUE(i % 1000 != 0 || json::accept(reply)) << request;
  }
  EXPECT_EQ(ask({{"verb", "resume"}, {"take_over", true}})["result"]["state"], "running");
  const auto before = session_->status().stages[1].num_runs;
  (void)session_->wait(100ms);
  EXPECT_GT(session_->status().stages[1].num_runs, before);
}

}  // namespace
}  // namespace askos::dataflow
