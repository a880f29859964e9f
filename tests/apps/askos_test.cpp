// SPDX-License-Identifier: Apache-2.0
// The real program, from its arguments to its exit code.
#include "apps/support/program.hpp"

#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>

namespace askos::apps {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

const std::string kGraphs = ASKOS_EXAMPLES "/graphs/";

class AskosTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<Program> begin(const std::vector<std::string>& arguments) const {
    return std::make_unique<Program>(ASKOS_PROGRAM, arguments, folder_.path());
  }
  [[nodiscard]] Ended run(const std::vector<std::string>& arguments) const {
    return begin(arguments)->wait();
  }
  [[nodiscard]] json run_json(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const auto ended = run(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return json::parse(ended.out);
  }
  /// Starts a graph that does not end by itself and waits until it answers questions.
  [[nodiscard]] std::unique_ptr<Program> begin_endless(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"run", kGraphs + "chain.toml", "--set",
                                       "stages.source.count=0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    auto program = begin(arguments);
    while (run_json({"ps"}).empty()) {
    }
    return program;
  }

  TemporaryFolder folder_;
};

TEST_F(AskosTest, ListsItsCommandsAndThoseOfTheProgramsBesideIt) {
  const auto help = run({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* verb : {"run", "check", "ps", "top", "why", "dot", "import", "verify", "train",
                           "evaluate", "forecast", "trace", "ui"}) {
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + verb + " "));
  }
  EXPECT_EQ(run({"--version"}).out, "askos " ASKOS_VERSION "\n");
}

TEST_F(AskosTest, DocumentsEveryStageType) {
  dataflow::StageCatalog catalog;
  dataflow::synthetic::add_stage_types(catalog);
  EXPECT_THAT(run({"run", "--help"}).out, HasSubstr(catalog.help()));
}

TEST_F(AskosTest, LoadsNeitherLibTorchNorHdf5) {
  const auto libraries =
      Program(ASKOS_PROGRAM, {"--help"}, folder_.path(), {"LD_TRACE_LOADED_OBJECTS=1"}).wait();
  EXPECT_THAT(libraries.out, HasSubstr("libc.so"));
  for (const char* heavy : {"torch", "c10", "hdf5", "netcdf"}) {
    EXPECT_THAT(libraries.out, Not(HasSubstr(heavy)));
  }
}

TEST_F(AskosTest, ChecksAGraph) {
  const auto text = run({"check", kGraphs + "chain.toml"});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_EQ(text.out,
            "chain: plan holds: 5 stages, 4 edges\n"
            "  in flight: at most 512.0 KiB on the host, 0 B on devices\n");
  EXPECT_THAT(text.err, IsEmpty());
  const auto report = run_json({"check", kGraphs + "chain.toml"});
  EXPECT_EQ(report["ok"], true);
  EXPECT_EQ(report["host_bound"], 512 * 1024);
}

TEST_F(AskosTest, RefusesStarvedGraphsWithTheSmallestSufficientCredit) {
  const auto cycle = run({"check", kGraphs + "starved_cycle.toml"});
  EXPECT_EQ(cycle.exit_code, 5);
  EXPECT_THAT(cycle.out, HasSubstr("  repair: raise the credit of state.out>model.in to 3\n"));
  EXPECT_EQ(cycle.err, "askos: error: plan refused: graph=starved_cycle, faults=1\n");
  const auto pair = run({"check", kGraphs + "starved_pair.toml"});
  EXPECT_EQ(pair.exit_code, 5);
  EXPECT_THAT(pair.out,
              HasSubstr("  repair: raise the credit of fork.out1>meet.in1 from 2 to 5\n"));

  // The repair is enough, and one less is not.
  const std::string cycle_edge = "edges.state.out>model.in.credit=";
  const std::string pair_edge = "edges.fork.out1>meet.in1.credit=";
  const auto check = [&](const std::string& name, const std::string& setting) {
    return run({"check", kGraphs + name, "--set", setting}).exit_code;
  };
  EXPECT_EQ(check("starved_cycle.toml", cycle_edge + "3"), 0);
  EXPECT_EQ(check("starved_pair.toml", pair_edge + "5"), 0);
  EXPECT_EQ(check("starved_pair.toml", pair_edge + "4"), 5);

  // `run` refuses with the same words.
  const auto refused = run({"run", kGraphs + "starved_pair.toml"});
  EXPECT_EQ(refused.exit_code, 5);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("askos: error: plan refused"), HasSubstr("from 2 to 5")));
  EXPECT_THAT(refused.out, IsEmpty());
}

TEST_F(AskosTest, RunsAGraphOnEitherEngine) {
  for (const char* engine : {"actor", "serial"}) {
    const auto ended = run({"run", kGraphs + "diamond.toml", "--engine", engine});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, IsEmpty());
    EXPECT_THAT(ended.out,
                HasSubstr("plan: diamond: 7 stages, 7 edges, in flight at most 16.0 KiB"));
    EXPECT_THAT(ended.out, HasSubstr("done: 300 packets in "));
    EXPECT_THAT(ended.out, HasSubstr("STAGE   RANK  cpu"));
  }
}

TEST_F(AskosTest, PrintsItsRunAsJsonLines) {
  const auto ended = run({"run", kGraphs + "burst.toml", "--json"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  std::istringstream lines(ended.out);
  std::vector<json> events;
  for (std::string line; std::getline(lines, line);) {
    events.push_back(json::parse(line));
  }
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ(events.front()["event"], "plan");
  EXPECT_EQ(events.back()["event"], "end");
  EXPECT_EQ(events.back()["ok"], true);
  EXPECT_EQ(events.back()["ledger"]["packets"], 300);
  for (const auto& stage : events.back()["ledger"]["stages"]) {
    double sum = 0;
    for (const auto& fraction : stage["fraction"]) {
      sum += fraction.get<double>();
    }
    EXPECT_NEAR(sum, 1, 1e-9) << stage;  // the ledger closes; 1e-9: ten roundings
  }
}

TEST_F(AskosTest, WritesATraceOnRequest) {
  const auto path = folder_.path() / "trace.json";
  EXPECT_EQ(run({"run", kGraphs + "chain.toml", "--trace", path.string()}).exit_code, 0);
  std::ifstream file(path);
  EXPECT_FALSE(json::parse(file)["traceEvents"].empty());

  const auto nameless = run({"run", kGraphs + "burst.toml", "--trace", "trace.dat"});
  EXPECT_EQ(nameless.exit_code, 2);
  EXPECT_EQ(nameless.out, "");  // refused before it ran
  EXPECT_EQ(nameless.err,
            "askos: error: the name of a trace tells its format by its extension: file=trace.dat, "
            "expected='.pftrace (Perfetto) or .json (Kineto)'\n");

  const auto cut = folder_.path() / "cut.json";
  const auto ended = run_with_small_files(
      4, ASKOS_PROGRAM, {"run", kGraphs + "burst.toml", "--trace", cut.string()}, folder_.path());
  EXPECT_EQ(ended.exit_code, 6);
  EXPECT_EQ(ended.err, "askos: error: cannot write the trace: file=" + cut.string() + "\n");
  EXPECT_FALSE(std::filesystem::exists(cut));
}

TEST_F(AskosTest, WritesATraceOfARunningGraph) {
  const auto program = begin_endless();
  const auto perfetto = (folder_.path() / "live.pftrace").string();
  json written;
  do {
    written = run_json({"trace", "--last", "5s", "-o", perfetto});
  } while (written["events"] == 0);
  EXPECT_EQ(written["files"], json({perfetto}));
  EXPECT_EQ(written["bytes"], std::filesystem::file_size(perfetto));
  EXPECT_EQ(written["overlap"][0]["communication_s"], 0.0);  // no collectives in it

  const auto kineto = (folder_.path() / "live.json").string();
  EXPECT_THAT(run({"trace", "-o", kineto}).out, AllOf(HasSubstr(kineto), HasSubstr(" events, ")));
  std::ifstream file(kineto);
  EXPECT_EQ(json::parse(file)["distributedInfo"]["rank"], 0);

  const auto operators = run({"trace", "--operators", "1s", "-o", kineto});
  EXPECT_EQ(operators.exit_code, 2);
  EXPECT_EQ(operators.err,
            "askos: error: graph runs no operators of a numeric library that could be traced\n");

  const auto nowhere = run({"trace", "-o", "/nowhere/x.json"});
  EXPECT_EQ(nowhere.exit_code, 6);
  EXPECT_EQ(nowhere.err, "askos: error: cannot write the trace: file=/nowhere/x.json\n");
}

TEST_F(AskosTest, LeavesASpanThatContinuesTheCallersTrace) {
  const auto spans = (folder_.path() / "spans.jsonl").string();
  const std::string trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  const auto ended =
      Program(ASKOS_PROGRAM, {"run", kGraphs + "burst.toml", "--spans", spans}, folder_.path(),
              {"TRACEPARENT=00-" + trace_id + "-00f067aa0ba902b7-01"})
          .wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  std::ifstream file(spans);
  const auto span = json::parse(file)["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  EXPECT_EQ(span["traceId"], trace_id);
  EXPECT_EQ(span["name"], "askos run");
}

TEST_F(AskosTest, ReportsAFailedStageAndHeedsItsPolicy) {
  const std::string fault = "stages.b.fault_at=17";
  const auto stopped = run({"run", kGraphs + "chain.toml", "--set", fault});
  EXPECT_EQ(stopped.exit_code, 2);
  EXPECT_EQ(stopped.err, "askos: error: injected fault: packet=17, stage=b, sample=16\n");
  EXPECT_THAT(stopped.out, HasSubstr("failed: "));

  const auto skipped =
      run({"run", kGraphs + "chain.toml", "--set", fault, "--set", "stages.b.on_failure=skip"});
  EXPECT_EQ(skipped.exit_code, 0) << skipped.err;
  EXPECT_THAT(skipped.out, HasSubstr("done: 299 packets"));
  EXPECT_THAT(skipped.out, HasSubstr("failures absorbed: 1, the last one in b: injected fault"));
}

TEST_F(AskosTest, DrainsOnASignalAndEndsWell) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto program = begin_endless();
    program->signal(signal);
    const auto ended = program->wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("done: "));
    EXPECT_THAT(ended.out, Not(HasSubstr("not delivered")));
  }
  const auto timed = run(
      {"run", kGraphs + "chain.toml", "--set", "stages.source.count=0", "--duration", "200 ms"});
  EXPECT_EQ(timed.exit_code, 0) << timed.err;
}

TEST_F(AskosTest, TellsWhichStageMissedTheDrain) {
  const auto ended =
      run({"run", kGraphs + "chain.toml", "--set", "stages.b.service=1500 ms", "--set",
           "stages.b.burn=true", "--duration", "100 ms", "--drain", "100 ms"});
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_THAT(ended.err, MatchesRegex("askos: error: drain missed its deadline: stage=.*\n"));
}

TEST_F(AskosTest, AnswersQuestionsAboutARunningGraph) {
  const auto program = begin_endless({"--set", "stages.b.service=10 ms"});
  while (run_json({"why"})["window_s"].get<double>() < 0.5) {
  }
  const auto why = run({"why"});
  EXPECT_EQ(why.exit_code, 0);
  EXPECT_THAT(why.out, HasSubstr("b was wait.io"));
  EXPECT_THAT(run({"why", "source"}).out, HasSubstr("source waited "));
  EXPECT_EQ(run_json({"ps"})[0]["graph"], "chain");
  EXPECT_THAT(run({"ps"}).out, HasSubstr("b wait.io"));
  EXPECT_THAT(run({"top"}).out, AllOf(HasSubstr("STAGE"), HasSubstr("source.out>a.in")));
  EXPECT_EQ(run_json({"top"})["stages"].size(), 5U);
  EXPECT_THAT(run({"dot"}).out, HasSubstr("\"a (work)\""));

  const auto what_if = run({"why", "--what-if", "b=2x", "--what-if", "a.out>b.in=8"});
  EXPECT_EQ(what_if.exit_code, 0) << what_if.err;
  EXPECT_THAT(what_if.out, AllOf(HasSubstr("what if b=2x: "), HasSubstr("packets/s (+"),
                                 HasSubstr("\nwhat if a.out>b.in=8: "), HasSubstr("limited by b")));
  EXPECT_GT(run_json({"why", "--what-if", "b=2x"})["gain"].get<double>(), 0.5);
  for (const char* change : {"b", "b=x", "b=0x", "b=nanx", "a.out>b.in=1.5", "=2x", "b=-1x"}) {
    const auto refused = run({"why", "--what-if", change});
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_EQ(refused.err, "askos: error: no change to predict: what-if=" + std::string(change) +
                               ", expected='STAGE=2x (twice as fast) or EDGE=4 (credit of 4)'\n");
  }
  EXPECT_THAT(run({"why", "--what-if", "bb=2x"}).err, HasSubstr("nearest=b"));

  const auto unknown = run({"why", "sorce"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_EQ(unknown.err, "askos: error: no stage of that name: stage=sorce, nearest=source\n");
  EXPECT_EQ(run({"why", "--graph", "other"}).exit_code, 2);
  program->signal(SIGTERM);
  EXPECT_EQ(program->wait().exit_code, 0);
}

TEST_F(AskosTest, TellsWhenNothingRuns) {
  EXPECT_EQ(run({"ps"}).out, "no graph is running\n");
  const auto why = run({"why"});
  EXPECT_EQ(why.exit_code, 2);
  EXPECT_EQ(why.err, "askos: error: no running graph to ask (askos ps lists them)\n");
}

TEST_F(AskosTest, DrawsAGraphFile) {
  EXPECT_THAT(run({"dot", kGraphs + "diamond.toml"}).out,
              HasSubstr("\"fork\" -> \"near\" [label=\"4\"];"));
}

TEST_F(AskosTest, HandsOtherCommandsToTheProgramBesideIt) {
  const auto copy = folder_.path() / "askos";
  std::filesystem::copy_file(ASKOS_PROGRAM, copy);
  const auto missing = Program(copy, {"train", "x.toml"}, folder_.path()).wait();
  EXPECT_EQ(missing.exit_code, 6);
  EXPECT_THAT(missing.err, HasSubstr("cannot start the program for this command: command=train"));

  const auto stand_in = folder_.write("askos-model", "#!/bin/sh\necho \"$@\"\nexit 7\n");
  std::filesystem::permissions(stand_in, std::filesystem::perms::owner_all);
  const auto train = Program(copy, {"train", "x.toml", "--ranks", "2"}, folder_.path()).wait();
  EXPECT_EQ(train.exit_code, 7);
  EXPECT_EQ(train.out, "train x.toml --ranks 2\n");
}

struct BadInput {
  std::string what;
  std::vector<std::string> arguments;  ///< FILE stands for a file with `text`
  std::string text;
  int exit_code;
  std::string message;

  friend std::ostream& operator<<(std::ostream& out, const BadInput& bad) {
    return out << bad.what;
  }
};

class BadInputTest : public AskosTest, public ::testing::WithParamInterface<BadInput> {};

TEST_P(BadInputTest, GetsOneClearLineAndItsExitCode) {
  auto arguments = GetParam().arguments;
  std::ranges::replace(arguments, "FILE", folder_.write("bad.toml", GetParam().text));
  const auto ended = run(arguments);
  EXPECT_EQ(ended.exit_code, GetParam().exit_code);
  EXPECT_THAT(ended.err, ::testing::StartsWith("askos: error: "));
  EXPECT_THAT(ended.err, HasSubstr(GetParam().message));
  EXPECT_EQ(std::ranges::count(ended.err, '\n'), 1) << ended.err;
  EXPECT_THAT(ended.out, IsEmpty());
}

constexpr const char* kGraph = R"(graph = "g"
stages = [
  { name = "source", type = "source", args = { count = 3 } },
  { name = "sink", type = "sink" },
]
edges = [ { from = "source.out", to = "sink.in" } ]
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    BadInputTest,
    ::testing::Values(
        BadInput{"NoCommand", {}, "", 2, "no command; askos --help lists them"},
        BadInput{"UnknownCommand", {"chek"}, "", 2, "command=chek, nearest=check"},
        BadInput{"UnknownOption", {"check", "FILE", "--fast"}, kGraph, 2, "--fast"},
        BadInput{"MissingArgument", {"run"}, "", 2, "graph is required"},
        BadInput{"UnknownEngine", {"run", "FILE", "--engine", "gpu"}, kGraph, 2, "gpu"},
        BadInput{"UnknownLogLevel", {"run", "FILE", "--log-level", "loud"}, kGraph, 2, "loud"},
        BadInput{"TraceOfAnotherFormat", {"trace", "-o", "x.txt"}, "", 2, "file=x.txt, expected="},
        BadInput{"TraceOfNothing", {"trace", "-o", "x.json"}, "", 2, "no running graph to ask"},
        BadInput{"BadDuration", {"run", "FILE", "--duration", "5"}, kGraph, 2, "not a duration"},
        BadInput{"MissingFile", {"run", "/nonexistent/g.toml"}, "", 2, "path=/nonexistent/g.toml"},
        BadInput{"NotToml", {"check", "FILE"}, "graph = \n", 2, "bad.toml:1"},
        BadInput{"Empty", {"check", "FILE"}, "graph = \"g\"\n", 2, "missing key: key=stages"},
        BadInput{"UnknownKey",
                 {"check", "FILE"},
                 replaced(kGraph, "{ from", "{ credits = 3, from"),
                 2,
                 "key=credits, nearest=credit"},
        BadInput{"WrongType",
                 {"check", "FILE"},
                 replaced(kGraph, "count = 3", "count = \"3\""),
                 2,
                 "value of the wrong kind: expected=integer, found='\"3\" (text)', argument=count"},
        BadInput{"UnknownStageType",
                 {"run", "FILE"},
                 replaced(kGraph, "\"sink\" }", "\"snik\" }"),
                 2,
                 "type=snik, nearest=sink"},
        BadInput{"UnknownPort",
                 {"run", "FILE"},
                 replaced(kGraph, "source.out", "source.uot"),
                 2,
                 "port=uot, nearest=out"},
        BadInput{"BadSetting",
                 {"run", "FILE", "--set", "stages.source.count"},
                 kGraph,
                 2,
                 "setting is not of the form key=value"},
        BadInput{"UnknownSetting",
                 {"run", "FILE", "--set", "stages.sorce.count=1"},
                 kGraph,
                 2,
                 "nearest=source"},
        BadInput{"PlanRefused",
                 {"run", "FILE"},
                 std::string(kGraph) + "[limits]\nhost = 64\n",
                 5,
                 "plan refused: graph=g, fault="}),
    [](const auto& bad) { return bad.param.what; });

TEST_F(AskosTest, TellsAllFaultsOfAFileALineEach) {
  const auto path = folder_.write(
      "bad.toml", replaced(replaced(kGraph, "count", "cuont"), "\"sink\" }", "\"snik\" }"));
  const auto ended = run({"run", path});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_EQ(std::ranges::count(ended.err, '\n'), 2) << ended.err;
  EXPECT_THAT(ended.err, AllOf(HasSubstr("nearest=count"), HasSubstr("nearest=sink")));
}

TEST_F(AskosTest, TellsAllFaultsOfARefusedPlanALineEach) {
  const std::vector<std::string> arguments{kGraphs + "starved_pair.toml", "--set",
                                           "limits.host=64"};
  const auto ended = run({"run", arguments[0], arguments[1], arguments[2]});
  EXPECT_EQ(ended.exit_code, 5);
  EXPECT_EQ(std::ranges::count(ended.err, '\n'), 2) << ended.err;
  EXPECT_THAT(ended.err, AllOf(HasSubstr("fork.out1>meet.in1"), HasSubstr("64 B")));
}

}  // namespace
}  // namespace askos::apps
