// SPDX-License-Identifier: Apache-2.0
// `askos why` on the real engine: every example graph with a slow stage at every position.
#include "apps/support/program.hpp"

#include <askos/dataflow/graph_file.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>

namespace askos::apps {
namespace {

using nlohmann::json;

constexpr const char* kGraphs[] = {"chain", "diamond",    "fan_out_join",
                                   "burst", "heavy_tail", "cycle"};

struct Case {
  std::string graph;
  std::string slow;  ///< empty: no stage is

  friend std::ostream& operator<<(std::ostream& out, const Case& shown) {
    return out << shown.graph << ' ' << shown.slow;
  }
};

std::vector<Case> cases(bool healthy) {
  dataflow::StageCatalog catalog;
  dataflow::synthetic::add_stage_types(catalog);
  std::vector<Case> all;
  for (const std::string graph : kGraphs) {
    const auto file = dataflow::load_graph(ASKOS_EXAMPLES "/graphs/" + graph + ".toml", catalog);
    if (healthy) {
      all.push_back({graph, ""});
      continue;
    }
    for (const auto& node : file.graph.stages()) {
      all.push_back({graph, node.name});
    }
  }
  return all;
}

/// Runs a graph and asks why as soon as there is a second of data.
json why_after_a_second(const Case& wanted) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments{"run", ASKOS_EXAMPLES "/graphs/" + wanted.graph + ".toml",
                                     "--set", "stages.source.count=0"};
  if (!wanted.slow.empty()) {
    const bool is_source = wanted.slow == "source";
    arguments.insert(
        arguments.end(),
        {"--set", "stages." + wanted.slow + (is_source ? ".interval" : ".service") + "=10 ms"});
  }
  Program program(ASKOS_PROGRAM, arguments, folder.path());
  json report;
  do {
    const auto ended = Program(ASKOS_PROGRAM, {"why", "--json"}, folder.path()).wait();
    report = ended.exit_code == 0 ? json::parse(ended.out) : json{{"window_s", 0}};
  } while (report["window_s"].get<double>() < 1);
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait().exit_code, 0);
  return report;
}

std::string test_name(const ::testing::TestParamInfo<Case>& tested) {
  return tested.param.graph + (tested.param.slow.empty() ? "" : "_" + tested.param.slow);
}

class SlowStage : public ::testing::TestWithParam<Case> {};

TEST_P(SlowStage, IsNamedWithinASecond) {
  const auto report = why_after_a_second(GetParam());
  EXPECT_EQ(report["verdict"], GetParam().slow == "source" ? "paced" : "limited") << report["text"];
  EXPECT_EQ(report["roots"][0]["stage"], GetParam().slow) << report["text"];
  EXPECT_EQ(report["roots"][0]["state"], "wait.io") << report["text"];
}

INSTANTIATE_TEST_SUITE_P(EveryGraph, SlowStage, ::testing::ValuesIn(cases(false)), test_name);

class HealthyGraph : public ::testing::TestWithParam<Case> {};

TEST_P(HealthyGraph, HasNoStageToBlame) {
  const auto report = why_after_a_second(GetParam());
  EXPECT_NE(report["verdict"], "limited") << report["text"];
  EXPECT_NE(report["verdict"], "stuck") << report["text"];
}

INSTANTIATE_TEST_SUITE_P(EveryGraph, HealthyGraph, ::testing::ValuesIn(cases(true)), test_name);

}  // namespace
}  // namespace askos::apps
