// SPDX-License-Identifier: Apache-2.0
// The learning rate of a training run on three ranks changes while it runs, at one step for all.
#include "actors/small_run.hpp"

#include <askos/actors/replay.hpp>
#include <askos/actors/run.hpp>
#include <askos/base/error.hpp>
#include <askos/dataflow/control.hpp>
#include <askos/dataflow/replay.hpp>
#include <askos/model/optimiser.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace askos::actors {
namespace {

using ::testing::HasSubstr;

constexpr Nanoseconds kLong = std::chrono::seconds(60);
const dataflow::Debugger kMe{.name = "me"};

TEST(LearningRate, ChangesAtOneStepForAllRanksAndInTheirRecordings) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "run");
  config.run.ranks = 3;
  std::map<std::int64_t, double> rates;
  std::vector<dataflow::Recording> recordings;
  std::vector<std::string> refusals;
  RunHooks hooks;
  hooks.record["compute"] = 8;
  hooks.on_step = [&](const StepReport& report) {
    rates[report.result.step] = report.result.learning_rate;
  };
  hooks.on_session = [&](const dataflow::Session& session) {
    auto& control = session.control();
    control.pause(kMe);
    EXPECT_EQ(control.wait_for_hold(kLong).state, dataflow::HoldState::kPaused);
    control.step(kMe, 4);
    EXPECT_EQ(control.wait_for_hold(kLong).state, dataflow::HoldState::kPaused);
    const auto change = control.change_argument("compute", "learning_rate", 0.25);
    EXPECT_EQ(std::get<double>(change.before), config.training.learning_rate);
    EXPECT_TRUE(change.applied) << "all stages stand";
    for (const dataflow::Argument& wrong : {dataflow::Argument(-1.0), dataflow::Argument("fast")}) {
      try {
        (void)control.change_argument("compute", "learning_rate", wrong);
      } catch (const Error& error) {
        refusals.emplace_back(error.what());
      }
    }
    control.resume(kMe);
    return std::shared_ptr<void>(&recordings, [&](void*) {
      recordings.push_back(*session.control().take_recording("compute", Rank{2}));
    });
  };
  (void)train(config, hooks);

  const auto rate_with = [&](double peak, std::int64_t step) {
    const model::LearningRate schedule{.kind = model::LearningRate::Kind::kCosineFromStart,
                                       .peak = peak,
                                       .warmup_steps = config.training.warmup_steps,
                                       .total_steps = config.training.steps};
    return schedule.at(step);
  };
  std::int64_t num_before = 0;
  for (const auto& [step, rate] : rates) {
    const bool before = rate == rate_with(config.training.learning_rate, step);
    if (before && step > 0) ++num_before;
    EXPECT_TRUE(before || rate == rate_with(0.25, step)) << step;
  }
  ASSERT_EQ(rates.size(), 8U);
  EXPECT_GE(num_before, 3);
  EXPECT_EQ(rates.at(7), rate_with(0.25, 7));
  ASSERT_EQ(refusals.size(), 2U);
  EXPECT_THAT(refusals[0], HasSubstr("learning rate is not a number of at least 0"));
  EXPECT_THAT(refusals[1], HasSubstr("fast"));
  // What was recorded before the change is forgotten; the rest is done again with the new rate.
  const auto stage = make_recorded_stage(config, recordings.at(0));
  const auto report = dataflow::replay(*stage, recordings.at(0));
  EXPECT_TRUE(report.equal()) << report.runs.back().difference;
  EXPECT_LT(report.runs.size(), 8U);
}

}  // namespace
}  // namespace askos::actors
