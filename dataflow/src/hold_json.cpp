// SPDX-License-Identifier: Apache-2.0
#include "hold_json.hpp"

#include <cmath>

namespace askos::dataflow {
namespace {

double seconds(Nanoseconds time) {
  return static_cast<double>(time.count()) * 1e-9;
}

Nanoseconds nanoseconds(const Json& seconds) {
  return Nanoseconds(std::llround(seconds.get<double>() * 1e9));
}

HoldState state_of(const std::string& word) {
  for (const auto state : {HoldState::kPausing, HoldState::kPaused, HoldState::kStepping}) {
    if (word == to_string(state)) return state;
  }
  return HoldState::kRunning;
}

}  // namespace

Json hold_json(const HoldStatus& hold) {
  Json stages = Json::array();
  for (const auto& stage : hold.stages) {
    stages.push_back({{"stage", stage.stage},
                      {"rank", stage.rank.value},
                      {"runs", stage.num_runs},
                      {"may_run", stage.may_run ? Json(*stage.may_run) : Json()},
                      {"turn", stage.turn},
                      {"meets_ranks", stage.meets_ranks},
                      {"held", stage.held},
                      {"ended", stage.ended},
                      {"state", telemetry::to_string(stage.state)}});
  }
  return {{"state", to_string(hold.state)},   {"reason", hold.reason},
          {"debugger", hold.debugger},        {"lease_left_s", seconds(hold.lease_left)},
          {"held_s", seconds(hold.held_for)}, {"stages", std::move(stages)}};
}

HoldStatus hold_of(const Json& json) {
  HoldStatus hold{.state = state_of(json.at("state").get<std::string>()),
                  .reason = json.at("reason").get<std::string>(),
                  .debugger = json.at("debugger").get<std::string>(),
                  .lease_left = nanoseconds(json.at("lease_left_s")),
                  .held_for = nanoseconds(json.at("held_s"))};
  for (const auto& stage : json.at("stages")) {
    HeldStage held{.stage = stage.at("stage").get<std::string>(),
                   .rank = Rank{stage.at("rank").get<int>()},
                   .num_runs = stage.at("runs").get<std::int64_t>(),
                   .turn = stage.at("turn").get<std::int64_t>(),
                   .meets_ranks = stage.at("meets_ranks").get<bool>(),
                   .held = stage.at("held").get<bool>(),
                   .ended = stage.at("ended").get<bool>()};
    if (const auto& may_run = stage.at("may_run"); !may_run.is_null()) {
      held.may_run = may_run.get<std::int64_t>();
    }
    hold.stages.push_back(std::move(held));
  }
  return hold;
}

Json short_hold_json(const HoldStatus& hold) {
  if (hold.state == HoldState::kRunning) return {};
  return {{"state", to_string(hold.state)},
          {"debugger", hold.debugger},
          {"lease_left_s", seconds(hold.lease_left)}};
}

}  // namespace askos::dataflow
