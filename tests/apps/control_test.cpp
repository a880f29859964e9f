// SPDX-License-Identifier: Apache-2.0
// `askos pause`, `step`, `hold`, `resume` and `drain` on a running graph.
#include "apps/support/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace askos::apps {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// The chain of the examples, without end, until the test is over.
class ControlCommand : public ::testing::Test {
 protected:
  ControlCommand()
      : graph_(ASKOS_PROGRAM,
               {"run", ASKOS_EXAMPLES "/graphs/chain.toml", "--set", "stages.source.count=0"},
               folder_.path()) {
    while (run({"ps", "--json"}).out == "[]\n") {
    }
  }
  [[nodiscard]] Ended run(std::vector<std::string> arguments) const {
    return Program(ASKOS_PROGRAM, arguments, folder_.path()).wait();
  }
  [[nodiscard]] json hold(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const auto ended = run(std::move(arguments));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return json::parse(ended.out, nullptr, false);
  }

  TemporaryFolder folder_;
  Program graph_;
};

TEST_F(ControlCommand, PausesStepsAndResumes) {
  const auto paused = hold({"pause"});
  ASSERT_EQ(paused["state"], "paused");
  const auto stepped = hold({"step", "5"});
  ASSERT_EQ(stepped["state"], "paused");
  for (std::size_t i = 0; i < paused["stages"].size(); ++i) {
    EXPECT_EQ(stepped["stages"][i]["runs"], paused["stages"][i]["runs"].get<int>() + 5);
  }
  EXPECT_THAT(run({"hold"}).out, HasSubstr("paused by terminal-"));
  EXPECT_THAT(run({"ps"}).out, HasSubstr("paused by terminal-"));
  EXPECT_EQ(hold({"resume"})["state"], "running");
}

TEST_F(ControlCommand, HoldsOneStage) {
  const auto paused = hold({"pause", "b"});
  EXPECT_EQ(paused["state"], "paused");
  for (const auto& stage : paused["stages"]) {
    EXPECT_EQ(stage["held"], stage["stage"] == "b") << stage;
  }
  EXPECT_EQ(hold({"resume", "b"})["state"], "running");
}

TEST_F(ControlCommand, RefusesInOneLine) {
  const auto expect = [&](const std::vector<std::string>& arguments, const std::string& line) {
    const auto ended = run(arguments);
    EXPECT_EQ(ended.exit_code, 2) << ended.out;
    EXPECT_EQ(ended.err, "askos: error: " + line + "\n");
  };
  expect({"pause", "sorce"}, "no stage of that name: stage=sorce, nearest=source");
  expect({"step", "2"}, "nothing is paused, so nothing can step");
  ASSERT_EQ(run({"pause", "--as", "me"}).exit_code, 0);
  EXPECT_THAT(run({"resume", "--as", "you"}).err,
              HasSubstr("graph is held by another debugger: debugger=me"));
  EXPECT_EQ(run({"resume", "--as", "you", "--take-over"}).exit_code, 0);
}

TEST_F(ControlCommand, PeeksBreaksAndChangesCredit) {
  ASSERT_EQ(run({"pause", "b"}).exit_code, 0);
  const auto peek = hold({"peek", "a.out>b.in", "--statistics", "--slice", "0:2"});
  EXPECT_EQ(peek["edge"], "a.out>b.in");
  EXPECT_THAT(run({"peek", "a.out>b.in", "--statistics", "--histogram", "3"}).out,
              HasSubstr("in flight"));
  EXPECT_EQ(hold({"credit", "a.out>b.in", "5"})["credit"], 5);
  EXPECT_EQ(run({"credit", "a.out>b.in", "0"}).exit_code, 2);
  EXPECT_EQ(run({"resume"}).exit_code, 0);
  auto advised = run({"credit", "a.out>b.in", "auto"});
  while (advised.exit_code != 0) {  // some stage has not run yet
    advised = run({"credit", "a.out>b.in", "auto"});
  }
  EXPECT_THAT(advised.out, HasSubstr("going by mean times per run")) << advised.err;
  EXPECT_EQ(hold({"break", "a.out>b.in", "--when", "sample % 2 == 1"})[0]["breakpoint"], 1);
  while (hold({"hold"})["reason"] != "breakpoint") {
  }
  EXPECT_THAT(run({"break"}).out, HasSubstr("sample % 2 == 1"));
  EXPECT_EQ(run({"break", "--delete-all"}).out, "no breakpoints\n");
  const auto wrong = run({"break", "a.out>b.in", "--when", "age >"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("expression does not parse: position=6"));
}

TEST_F(ControlCommand, DrainsAPausedGraph) {
  ASSERT_EQ(run({"pause"}).exit_code, 0);
  EXPECT_EQ(run({"drain"}).exit_code, 0);
  EXPECT_EQ(graph_.wait().exit_code, 0);
}

}  // namespace
}  // namespace askos::apps
