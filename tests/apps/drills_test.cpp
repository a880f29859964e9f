// SPDX-License-Identifier: Apache-2.0
// A corpus of injected faults: what each makes of a graph, in one line and an exit code.
#include "apps/support/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::apps {
namespace {

using ::testing::HasSubstr;

constexpr int kKilled = 128 + 9;

struct Drill {
  const char* name;
  std::vector<std::string> settings;  ///< of the command
  const char* faults;                 ///< entries of `faults`, each in braces
  int exit_code;
  std::vector<std::string> says;  ///< on stderr
};

std::string faults_of(const Drill& drill) {
  return "faults = [" + std::string(drill.faults) + "]\n";
}

void expect_as_said(const Ended& ended, const Drill& drill) {
  EXPECT_EQ(ended.exit_code, drill.exit_code) << ended.err;
  for (const auto& text : drill.says) {
    EXPECT_THAT(ended.err, HasSubstr(text));
  }
  if (drill.exit_code != 0 && drill.exit_code != kKilled) {
    EXPECT_THAT(ended.err, HasSubstr("askos: error: "));
  }
}

std::string name_of(const ::testing::TestParamInfo<Drill>& tested) {
  return tested.param.name;
}

class GraphDrill : public ::testing::TestWithParam<Drill> {};

TEST_P(GraphDrill, EndsAsSaid) {
  const TemporaryFolder folder;
  const auto& drill = GetParam();
  std::vector<std::string> arguments{
      "run", folder.write("drill.toml",
                          "graph = \"drill\"\nstages = [\n"
                          "{ name = \"source\", type = \"source\", args = { count = 30 } },\n"
                          "{ name = \"work\", type = \"work\" },\n"
                          "{ name = \"sink\", type = \"sink\", args = { check = true } }]\n"
                          "edges = [{ from = \"source.out\", to = \"work.in\" },\n"
                          "{ from = \"work.out\", to = \"sink.in\" }]\n" +
                              faults_of(drill))};
  for (const auto& setting : drill.settings) arguments.push_back(setting);
  expect_as_said(Program(ASKOS_PROGRAM, arguments, folder.path()).wait(), drill);
}

const std::vector<Drill> kGraphDrills = {
    {"Kill", {}, R"({ kind = "kill", stage = "work", packet = 7 })", kKilled, {}},
    {"HangMissesTheDrain",
     {"--duration", "100 ms", "--drain", "100 ms"},
     R"({ kind = "hang", stage = "work", packet = 7 })",
     3,
     {"stage=work"}},
    {"SlowIsOnlySlow",
     {},
     R"({ kind = "slow", stage = "work", packet = 7, times = 3, delay = "2 ms" })",
     0,
     {}},
    {"CorruptPayloadIsRefused",
     {},
     R"({ kind = "corrupt", stage = "source", packet = 7 })",
     2,
     {"stage=sink"}},
    {"CorruptPayloadIsSkipped",
     {"--set", "stages.sink.on_failure=skip"},
     R"({ kind = "corrupt", stage = "work", probability = 0.2, seed = 3 })",
     0,
     {}},
    {"IoErrorStops",
     {},
     R"({ kind = "io-error", stage = "work", packet = 7 })",
     6,
     {"I/O error", "stage=work"}},
    {"DiskFullStops",
     {},
     R"({ kind = "disk-full", stage = "sink", packet = 1 })",
     6,
     {"disk full", "stage=sink"}},
    {"IoErrorIsSkipped",
     {"--set", "stages.work.on_failure=skip"},
     R"({ kind = "io-error", stage = "work", packet = 7, times = 5 })",
     0,
     {}},
    {"RestartsUntilTheyAreSpent",
     {"--set", "stages.work.on_failure=restart", "--set", "stages.work.max_restarts=2"},
     R"({ kind = "io-error", stage = "work", packet = 7, times = 3 })",
     6,
     {"I/O error"}},
    {"UnknownStage", {}, R"({ kind = "kill", stage = "wrok" })", 2, {"nearest=work"}},
    {"UnknownKey", {}, R"({ kind = "kill", stage = "work", pakket = 1 })", 2, {"nearest=packet"}},
    {"FaultThatCannotStrike",
     {},
     R"({ kind = "nan", stage = "sink" })",
     5,
     {"fault cannot strike there", "stage=sink"}},
};

INSTANTIATE_TEST_SUITE_P(Corpus, GraphDrill, ::testing::ValuesIn(kGraphDrills), name_of);

}  // namespace
}  // namespace askos::apps
