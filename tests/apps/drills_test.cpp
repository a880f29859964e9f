// SPDX-License-Identifier: Apache-2.0
// A corpus of injected faults: what each makes of a graph or a training, in one line and a code.
#include "apps/support/tiny_run.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kKilled = 128 + 9;

struct Drill {
  const char* name;
  std::vector<std::string> settings;  ///< of the command
  const char* faults;                 ///< entries of `faults`, each in braces
  int exit_code;
  std::vector<std::string> says;  ///< on stderr
  bool goes_on = false;           ///< a training that goes on from step 4
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

void PrintTo(const Drill& drill, std::ostream* out) {
  *out << drill.faults;
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

#ifdef ASKOS_TRAINS
class TrainingDrill : public ::testing::TestWithParam<Drill> {};

TEST_P(TrainingDrill, EndsAsSaidAndLeavesNothingHalfWritten) {
  const TinyRun tiny;
  const auto& drill = GetParam();
  if (drill.goes_on) {
    const auto before = tiny.run({"train", tiny.write_config("run"), "--set", "training.steps=4"});
    ASSERT_EQ(before.exit_code, 0) << before.err;
  }
  std::vector<std::string> arguments{"train", tiny.write_config("run", faults_of(drill)), "--set",
                                     "training.steps=6"};
  for (const auto& setting : drill.settings) {
    arguments.push_back("--set");
    arguments.push_back(setting);
  }
  expect_as_said(tiny.run(arguments), drill);
  if (drill.exit_code == kKilled) return;
  for (const auto& entry : fs::recursive_directory_iterator(tiny.folder())) {
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
  }
}

const std::vector<Drill> kTrainingDrills = {
    {"KillCompute",
     {},
     R"({ kind = "kill", stage = "compute", rank = 1, packet = 4 })",
     kKilled,
     {}},
    {"HungRankIsNamed",
     {"run.deadline=2 s"},
     R"({ kind = "hang", stage = "compute", rank = 1, packet = 3 })",
     4,
     {"missing=1", "stage=compute", "rank=0"}},
    {"SlowRankIsWaitedFor",
     {},
     R"({ kind = "slow", stage = "compute", rank = 1, packet = 3, delay = "50 ms" })",
     0,
     {}},
    {"ReadErrorsAreRetried",
     {},
     R"({ kind = "io-error", stage = "read", operation = "read", packet = 5, times = 3 })",
     0,
     {}},
    {"ReadErrorsThatStay",
     {},
     R"({ kind = "io-error", stage = "read", operation = "read", packet = 5, times = 100 })",
     6,
     {"cannot read from file", "data.h5", "tries=4", "stage=read"}},
    {"CorruptReadIsRefused",
     {},
     R"({ kind = "corrupt", stage = "read", operation = "read", rank = 1, packet = 5 })",
     2,
     {"CRC", "data.h5", "stage=read", "rank=1"}},
    {"FullDiskSkipsACheckpoint",
     {},
     R"({ kind = "disk-full", stage = "checkpoint", operation = "write", rank = 1, packet = 1 })",
     0,
     {"checkpoint of step 2 skipped: disk full", "rank=1"}},
    {"DiskThatStaysFull",
     {},
     R"({ kind = "disk-full", stage = "checkpoint", operation = "write" })",
     6,
     {"run ends without a checkpoint of its last step", "disk full"}},
    {"CheckpointThatReadsBackOtherwise",
     {},
     R"({ kind = "corrupt", stage = "checkpoint", operation = "read", rank = 0, packet = 1 })",
     0,
     {"checkpoint of step 2 skipped: checkpoint part is not what was written",
      "state-00000-of-00002.safetensors", "expected_crc32c=", "found_crc32c="}},
    {"RenameThatFails",
     {},
     R"({ kind = "io-error", stage = "checkpoint", operation = "rename", packet = 2 })",
     0,
     {"checkpoint of step 2 skipped"}},
    {"KillBetweenThePhases",
     {},
     R"({ kind = "kill", stage = "checkpoint", operation = "rename", packet = 2 })",
     kKilled,
     {}},
    {"NanStops",
     {"run.ranks=3"},
     R"({ kind = "nan", stage = "partition", rank = 1, packet = 4 })",
     7,
     {"loss or gradient is not finite: step=3, rank=1, tensor='input v"}},
    {"NanIsSkipped",
     {"training.on_nan=skip"},
     R"({ kind = "nan", stage = "partition", rank = 1, packet = 4 })",
     0,
     {"step 3 skipped: loss or gradient is not finite"}},
    {"NanRollsBack",
     {"training.on_nan=rollback"},
     R"({ kind = "nan", stage = "partition", rank = 0, packet = 1 })",
     0,
     {"step 4 rolled back: loss or gradient is not finite"},
     true},
    {"NanWithNothingToGoBackTo",
     {"training.on_nan=rollback", "run.checkpoint_every=0"},
     R"({ kind = "nan", stage = "partition", packet = 1 })",
     7,
     {"there is no checkpoint to go back to"}},
    {"TooManyNans",
     {"training.on_nan=skip", "training.steps=20"},
     R"({ kind = "nan", stage = "partition", rank = 1, packet = 2, times = 15 })",
     7,
     {"step=11", "allowed='10 such steps'"}},
    {"UnknownKind", {}, R"({ kind = "kil", stage = "read" })", 2, {"run.toml", "kill, hang, slow"}},
    {"UnknownStage", {}, R"({ kind = "kill", stage = "reed" })", 2, {"nearest=read"}},
    {"FaultThatCannotStrike",
     {},
     R"({ kind = "hang", stage = "read", operation = "read" })",
     5,
     {"fault cannot strike there"}},
};

INSTANTIATE_TEST_SUITE_P(Corpus, TrainingDrill, ::testing::ValuesIn(kTrainingDrills), name_of);
#endif

}  // namespace
}  // namespace askos::apps
