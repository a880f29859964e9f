// SPDX-License-Identifier: Apache-2.0
// LibTorch's operators in the trace of a training run: only while asked for, and then within the
// runs of the stages that call them. The run is held, so that it is known what was done when.
#include "actors/small_run.hpp"

#include <askos/actors/run.hpp>
#include <askos/dataflow/control.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace askos::actors {
namespace {

using telemetry::Trace;
using telemetry::TraceEvent;
using telemetry::TraceKind;

constexpr Nanoseconds kLong = std::chrono::seconds(60);
const dataflow::Debugger kMe{.name = "me"};

std::vector<TraceEvent> events_of(const Trace& trace, const std::string& stage, TraceKind kind) {
  std::vector<TraceEvent> found;
  std::ranges::copy_if(trace.events, std::back_inserter(found), [&](const TraceEvent& event) {
    return event.kind == kind && trace.tracks.at(event.track).name == stage;
  });
  return found;
}

std::size_t num_operators(const Trace& trace) {
  return events_of(trace, "compute", TraceKind::kOperator).size();
}

/// Checks that every operator lies within a run of its stage on its rank, and that the steps of
/// the optimiser's model are among them.
void expect_operators_within_runs(const Trace& trace) {
  const auto runs = events_of(trace, "compute", TraceKind::kRun);
  std::map<std::string, int> names;
  for (const auto& op : events_of(trace, "compute", TraceKind::kOperator)) {
    const auto around = std::ranges::find_if(runs, [&](const TraceEvent& run) {
      return run.track == op.track && run.start_ns <= op.start_ns && op.end_ns() <= run.end_ns();
    });
    EXPECT_NE(around, runs.end()) << trace.operators.at(op.detail);
    ++names[trace.operators.at(op.detail)];
  }
  EXPECT_GT(names["aten::linear"], 0);
  EXPECT_GT(names["torch::autograd::AccumulateGrad"], 0);
}

TEST(OperatorTrace, OfATrainingRunIsOfTheStepsThatItWasAskedFor) {
  const Folder folder;
  auto config = small_config(write_waves(folder.path()), folder.path() / "run");
  config.run.ranks = 2;
  bool checked = false;
  RunHooks hooks;
  hooks.paused = true;
  hooks.on_session = [&](const dataflow::Session& session) -> std::shared_ptr<void> {
    auto& control = session.control();
    const auto step = [&](int count) {
      control.step(kMe, count);
      EXPECT_EQ(control.wait_for_hold(kLong).state, dataflow::HoldState::kPaused);
    };
    EXPECT_EQ(control.wait_for_hold(kLong).state, dataflow::HoldState::kPaused);
    step(3);
    EXPECT_EQ(num_operators(session.trace()), 0U);
    control.trace_operators(kLong);
    step(2);
    control.trace_operators(Nanoseconds::zero());
    const auto trace = session.trace();
    EXPECT_GT(num_operators(trace), 0U);
    EXPECT_EQ(trace.num_lost_operators, 0);
    expect_operators_within_runs(trace);
    step(1);
    EXPECT_EQ(num_operators(session.trace()), num_operators(trace));
    control.resume(kMe);
    checked = true;
    return nullptr;
  };
  (void)train(config, hooks);
  EXPECT_TRUE(checked);
}

}  // namespace
}  // namespace askos::actors
