// SPDX-License-Identifier: Apache-2.0
// A training run on three ranks that a debugger stops at a cut, steps and looks into gives the
// losses of an undisturbed one, bit by bit.
#include "actors/small_run.hpp"

#include <askos/actors/run.hpp>
#include <askos/dataflow/control.hpp>

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace askos::actors {
namespace {

constexpr Nanoseconds kLong = std::chrono::seconds(60);
const dataflow::Debugger kMe{.name = "me"};

RunConfig three_ranks(const std::filesystem::path& data, const std::filesystem::path& run) {
  auto config = small_config(data, run);
  config.run.ranks = 3;
  config.training.steps = 16;
  return config;
}

/// Every stage stands, and those of one name with collectives after the same run on all ranks.
void expect_cut(const dataflow::Session& session, const dataflow::HoldStatus& hold) {
  ASSERT_EQ(hold.state, dataflow::HoldState::kPaused);
  std::map<std::string, std::set<std::int64_t>> runs;
  for (const auto& stage : hold.stages) {
    EXPECT_TRUE(stage.held) << stage.stage;
    runs[stage.stage].insert(stage.num_runs);
  }
  for (const auto& node : session.plan().ranks().front().stages()) {
    if (!node.stage->communicator().empty()) {
      EXPECT_EQ(runs.at(node.name).size(), 1U) << node.name;
    }
  }
}

TEST(Hold, OfATrainingRunLeavesItsLossesBitEqual) {
  const Folder folder;
  const auto data = write_waves(folder.path());
  const auto undisturbed = three_ranks(data, folder.path() / "undisturbed");
  (void)train(undisturbed);
  const auto reference = recorded_losses(undisturbed.run.folder);
  ASSERT_FALSE(reference.empty());

  const auto held = three_ranks(data, folder.path() / "held");
  int num_held = 0;
  RunHooks hooks;
  hooks.on_session = [&](const dataflow::Session& session) -> std::shared_ptr<void> {
    auto& control = session.control();
    control.pause(kMe);
    expect_cut(session, control.wait_for_hold(kLong));
    for (const int count : {5, 1}) {
      control.step(kMe, count);
      expect_cut(session, control.wait_for_hold(kLong));
      ++num_held;
    }
    for (const auto& edge : session.status().edges) {
      const auto peek = control.peek({.edge = edge.name, .rank = edge.rank, .statistics = true});
      EXPECT_EQ(static_cast<int>(peek.packets.size()), peek.depth) << edge.name;
    }
    control.resume(kMe);
    return nullptr;
  };
  (void)train(held, hooks);
  EXPECT_EQ(num_held, 2);
  EXPECT_EQ(recorded_losses(held.run.folder), reference);
}

}  // namespace
}  // namespace askos::actors
