// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/dataflow/graph_file.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

StageCatalog catalog() {
  StageCatalog catalog;
  synthetic::add_stage_types(catalog);
  return catalog;
}

/// Returns the one fault of a file, or fails.
Error fault_of(const std::string& text, const std::vector<std::string>& settings = {}) {
  try {
    (void)parse_graph(text, catalog(), settings, "g.toml");
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no fault found in\n" << text;
  return {Errc::kInternal, "none"};
}

constexpr const char* kHello = R"(graph = "hello"
stages = [
  { name = "source", type = "source", args = { count = 10 } },
  { name = "sink", type = "sink" },
]
edges = [ { from = "source.out", to = "sink.in" } ]
)";

std::string with_stage(const std::string& stage) {
  return "graph = \"g\"\nstages = [\n  " + stage + "\n]\n";
}

TEST(GraphFile, SaysTheSameAsTheProgramThatBuildsTheGraph) {
  namespace s = synthetic;
  Graph graph("storm");
  auto& source = graph.add<s::Source>("source", s::SourceOptions{.count = 7,
                                                                 .bytes = kibibytes(64),
                                                                 .interval = 1500us,
                                                                 .burst = 3,
                                                                 .pause = 2s,
                                                                 .seed = 5});
  auto& fan = graph.add<s::FanOut>("fan", s::ForkOptions{.ways = 3, .bytes = Bytes{1000}});
  auto& slow = graph.add<s::Work>(
      "slow", s::WorkOptions{.service = {.time = 5ms,
                                         .distribution = s::Distribution::kPareto,
                                         .spread = 1.7,
                                         .burn = true,
                                         .dedicated = true,
                                         .seed = 9},
                             .batch = 4,
                             .fault_at = 12,
                             .bytes = mebibytes(2)});
  auto& route = graph.add<s::Route>("route", s::ForkOptions{}, true);
  auto& merge = graph.add<s::Merge>("merge", s::ForkOptions{});
  auto& join = graph.add<s::Join>("join", s::ForkOptions{.ways = 3});
  auto& sink = graph.add<s::Sink>("sink", s::SinkOptions{.check = true});
  graph.configure(slow, {.on_failure = FailurePolicy::kRestart, .max_restarts = 9});
  graph.connect(source.out, fan.in, {.credit = 4, .host_bytes = gibibytes(2)});
  graph.connect(fan.out[0], slow.in, {.credit = 8, .device_bytes = Bytes{77}});
  graph.connect(fan.out[1], route.in);
  graph.connect(route.out[0], merge.in[0], {.policy = EdgePolicy::kDropOldest});
  graph.connect(route.out[1], merge.in[1], {.policy = EdgePolicy::kLatest});
  graph.connect(slow.out, join.in[0]);
  graph.connect(merge.out, join.in[1], {.policy = EdgePolicy::kFail});
  graph.connect(fan.out[2], join.in[2], {.credit = 6, .initial = 2});
  graph.connect(join.out, sink.in);

  const std::string saved = save_graph(graph, {.host = gibibytes(24), .device = Bytes{3}}, 30s);
  const GraphFile loaded = parse_graph(saved, catalog());
  EXPECT_EQ(save_graph(loaded.graph, loaded.limits, loaded.drain), saved);

  EXPECT_EQ(loaded.graph.name(), "storm");
  ASSERT_EQ(loaded.graph.stages().size(), graph.stages().size());
  for (std::size_t i = 0; i < graph.stages().size(); ++i) {
    const auto& [name, options, stage] = loaded.graph.stages()[i];
    EXPECT_EQ(name, graph.stages()[i].name);
    EXPECT_EQ(stage->type(), graph.stages()[i].stage->type());
    EXPECT_EQ(stage->arguments(), graph.stages()[i].stage->arguments());
    EXPECT_EQ(options.on_failure, graph.stages()[i].options.on_failure);
    EXPECT_EQ(options.max_restarts, graph.stages()[i].options.max_restarts);
  }
  ASSERT_EQ(loaded.graph.edges().size(), graph.edges().size());
  for (int i = 0; i < static_cast<int>(graph.edges().size()); ++i) {
    const auto& before = graph.edges()[static_cast<std::size_t>(i)].options;
    const auto& after = loaded.graph.edges()[static_cast<std::size_t>(i)].options;
    EXPECT_EQ(loaded.graph.edge_name(EdgeId{i}), graph.edge_name(EdgeId{i}));
    EXPECT_EQ(after.credit, before.credit);
    EXPECT_EQ(after.host_bytes, before.host_bytes);
    EXPECT_EQ(after.device_bytes, before.device_bytes);
    EXPECT_EQ(after.policy, before.policy);
    EXPECT_EQ(after.initial, before.initial);
  }
  EXPECT_EQ(loaded.limits.host, gibibytes(24));
  EXPECT_EQ(loaded.limits.device, Bytes{3});
  EXPECT_EQ(loaded.drain, 30s);
}

TEST(GraphFile, TakesTablesWrittenOutAtLength) {
  const auto file = parse_graph(R"(
graph = "g"
[[stages]]
name = "source"
type = "source"
[stages.args]
count = 3
[[stages]]
name = "sink"
type = "sink"
[[edges]]
from = "source.out"
to = "sink.in"
credit = 5
)",
                                catalog());
  EXPECT_EQ(file.graph.stages().size(), 2U);
  ASSERT_EQ(file.graph.edges().size(), 1U);
  EXPECT_EQ(file.graph.edges()[0].options.credit, 5);
}

TEST(GraphFile, SettingsReplaceValuesAsIfTheFileHadThem) {
  const auto file = parse_graph(
      kHello, catalog(),
      {"graph=other", "stages.source.count=42", "stages.source.args.interval=5 ms",
       "stages.sink.on_failure=skip", "edges.source.out>sink.in.credit=9", "limits.host=1 GiB"});
  EXPECT_EQ(file.graph.name(), "other");
  EXPECT_EQ(file.graph.stages()[0].stage->arguments(),
            (Arguments{{"count", std::int64_t{42}}, {"interval", "5 ms"}}));
  EXPECT_EQ(file.graph.stages()[1].options.on_failure, FailurePolicy::kSkip);
  EXPECT_EQ(file.graph.edges()[0].options.credit, 9);
  EXPECT_EQ(file.limits.host, gibibytes(1));
}

TEST(GraphFile, RefusesSettingsThatNameNothing) {
  EXPECT_EQ(fault_of(kHello, {"stages"}).code(), Errc::kUsage);
  EXPECT_EQ(fault_of(kHello, {"stages.source=1"}).code(), Errc::kUsage);
  EXPECT_EQ(fault_of(kHello, {"speed.x=1"}).code(), Errc::kUsage);
  EXPECT_STREQ(fault_of(kHello, {"stages.sorce.count=1"}).what(),
               "setting names nothing of the graph: stages=sorce, nearest=source");
  EXPECT_STREQ(fault_of(kHello, {"stages.source.cuont=1"}).what(),
               "unknown argument: argument=cuont, nearest=count, type=source, "
               "at='--set stages.source.cuont'");
}

TEST(GraphFile, NamesLineKeyAndNearestForEachFault) {
  EXPECT_STREQ(fault_of(with_stage("{ nam = \"a\", name = \"a\", type = \"sink\" }")).what(),
               "unknown key: key=nam, nearest=name, at=g.toml:3");
  EXPECT_STREQ(
      fault_of(with_stage("{ name = \"a\", type = \"work\", args = { servce = \"5 ms\" } }"))
          .what(),
      "unknown argument: argument=servce, nearest=service, type=work, at=g.toml:3");
  EXPECT_STREQ(fault_of(with_stage("{ name = \"a\", type = \"wrok\" }")).what(),
               "unknown stage type: type=wrok, nearest=work, at=g.toml:3");
  EXPECT_STREQ(
      fault_of(with_stage("{ name = \"a\", type = \"work\", args = { service = 5 } }")).what(),
      "value of the wrong kind: expected='duration (for instance \"5 ms\")', "
      "found='5 (integer)', argument=service, type=work, at=g.toml:3");
  EXPECT_STREQ(fault_of(with_stage("{ name = \"a\", type = 3 }")).what(),
               "value of the wrong kind: expected=text, found='3 (integer)', key=type, "
               "at=g.toml:3");
}

TEST(GraphFile, RefusesWhatMakesNoSense) {
  const auto text_of = [](const Error& error) { return error.text(); };
  const auto stage = [](const std::string& rest) {
    return with_stage("{ name = \"a\", type = \"work\"" + rest + " }");
  };
  EXPECT_EQ(text_of(fault_of(stage(", args = { service = \"5 parsecs\" }"))),
            "not a duration (write for instance '5 ms')");
  EXPECT_EQ(text_of(fault_of(stage(", args = { bytes = -1 }"))), "value below its minimum");
  EXPECT_EQ(text_of(fault_of(stage(", args = { batch = 0 }"))), "value below its minimum");
  EXPECT_EQ(text_of(fault_of(stage(", args = { distribution = \"flat\" }"))),
            "value is not one of the choices");
  EXPECT_EQ(text_of(fault_of(stage(", args = { distribution = \"pareto\", spread = 0.5 }"))),
            "a Pareto service time has no mean: its spread must exceed 1");
  EXPECT_EQ(text_of(fault_of(stage(", args = 3"))), "value of the wrong kind");
  EXPECT_EQ(text_of(fault_of(stage(", on_failure = \"retry\""))),
            "value is not one of the choices");
  EXPECT_EQ(text_of(fault_of(with_stage("{ name = \"a.b\", type = \"sink\" }"))),
            "stage name may hold letters, digits, _ and - only");
  EXPECT_EQ(text_of(fault_of(with_stage("{ type = \"sink\" }"))), "missing key");
  EXPECT_EQ(text_of(fault_of(with_stage("3"))), "value of the wrong kind");
  EXPECT_EQ(text_of(fault_of("graph = \"g\"\nstages = 3\n")), "value of the wrong kind");
  EXPECT_EQ(text_of(fault_of("graph = \"g\"\nstages = []\nlimits = 3\n")),
            "value of the wrong kind");
  EXPECT_EQ(text_of(fault_of("graph = \"g\"\nstages = []\n[limits]\nhots = 3\n")), "unknown key");
}

TEST(GraphFile, RefusesEdgesThatJoinNothing) {
  const auto edge = [](const std::string& entry) {
    return std::string(
               "graph = \"g\"\nstages = [ { name = \"source\", type = \"source\" }, "
               "{ name = \"sink\", type = \"sink\" } ]\nedges = [ ") +
           entry + " ]\n";
  };
  EXPECT_STREQ(fault_of(edge("{ from = \"sorce.out\", to = \"sink.in\" }")).what(),
               "edge names an unknown stage: stage=sorce, nearest=source, at=g.toml:3");
  EXPECT_STREQ(fault_of(edge("{ from = \"source.oot\", to = \"sink.in\" }")).what(),
               "stage has no such output: stage=source, port=oot, nearest=out, at=g.toml:3");
  EXPECT_STREQ(fault_of(edge("{ from = \"source.out\", to = \"sink\" }")).what(),
               "an edge joins ports: write STAGE.PORT: found=sink, at=g.toml:3");
  EXPECT_STREQ(fault_of(edge("{ from = \"source.out\", to = \"sink.in\", credit = 0 }")).what(),
               "value below its minimum: minimum=1, found=0, key=credit, at=g.toml:3");
}

TEST(GraphFile, TellsAllFaultsAtOnce) {
  const Error error = fault_of(R"(graph = "g"
speed = 3
stages = [
  { name = "a", type = "sorce" },
  { name = "b", type = "sink", args = { chek = true } },
  { name = "b", type = "sink" },
]
edges = [ { from = "a.out", to = "c.in", credits = 2 } ]
)");
  EXPECT_EQ(error.text(), "graph file has several faults");
  std::vector<std::string> faults;
  for (const auto& [key, value] : error.values()) {
    if (key == "fault") {
      faults.push_back(value);
    }
  }
  EXPECT_THAT(faults, ::testing::ElementsAre(
                          HasSubstr("g.toml:2"), HasSubstr("nearest=source"),
                          HasSubstr("nearest=check"), HasSubstr("two stages of one name"),
                          HasSubstr("nearest=credit"), HasSubstr("edge names an unknown stage")));
}

TEST(GraphFile, TellsWhereTextStopsBeingToml) {
  const Error error = fault_of("graph = \"g\"\nstages = [\n  { name = \"a\" type = \"b\" },\n]\n");
  EXPECT_EQ(error.code(), Errc::kInvalidInput);
  EXPECT_STREQ(error.what(), "not a TOML file: at=g.toml:3, reason='missing table separator `,`'");
}

TEST(GraphFile, CannotBeReadFromNowhere) {
  try {
    (void)load_graph("/nonexistent/g.toml", catalog());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kNotFound);
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/g.toml"));
  }
  EXPECT_THROW((void)load_graph("/", catalog()), Error);
}

TEST(StageCatalog, DocumentsEveryArgumentOfEveryType) {
  const StageCatalog all = catalog();
  const std::string help = all.help();
  for (const auto& type : all.types()) {
    EXPECT_THAT(help, HasSubstr("  " + type.name));
    for (const auto& spec : type.arguments) {
      EXPECT_THAT(help, HasSubstr("    " + spec.name + " = "));
    }
    const auto stage = all.make(type.name, {});  // the fallbacks are valid, and are the defaults
    EXPECT_EQ(stage->type(), type.name);
    EXPECT_TRUE(stage->arguments().empty()) << type.name;
  }
  for (std::size_t begin = 0; begin < help.size(); begin = help.find('\n', begin) + 1) {
    EXPECT_LE(help.find('\n', begin) - begin, 100U);
  }
}

TEST(Argument, PrintsAsTomlThatReadsBack) {
  EXPECT_EQ(to_toml(Argument(0.1)), "0.1");
  EXPECT_EQ(to_toml(Argument(3.0)), "3.0");
  EXPECT_EQ(to_toml(Argument(1e300)), "1e+300");
  EXPECT_EQ(to_toml(Argument(std::string("a\"b\\c\nd"))), "\"a\\\"b\\\\c\\u000ad\"");
  EXPECT_EQ(bytes_argument(mebibytes(3)), Argument("3 MiB"));
  EXPECT_EQ(bytes_argument(Bytes{1000}), Argument(std::int64_t{1000}));
}

}  // namespace
}  // namespace askos::dataflow
