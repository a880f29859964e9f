// SPDX-License-Identifier: Apache-2.0
#include "peer_hold.hpp"

#include "hold_json.hpp"

#include <askos/base/error.hpp>
#include <askos/base/log.hpp>
#include <askos/dataflow/inspector.hpp>

#include <algorithm>
#include <map>

namespace askos::dataflow {
namespace {

/// The other processes' leases are renewed so often while a debugger's here has not run out.
constexpr Nanoseconds kRenewal = std::chrono::seconds(1);

double seconds(Nanoseconds time) {
  return static_cast<double>(time.count()) * 1e-9;
}

bool is_partial(const HoldStatus& hold) {
  return std::ranges::any_of(hold.stages,
                             [](const HeldStage& stage) { return !stage.ended && !stage.may_run; });
}

/// For each process the held stages whose runs enter collectives, or those whose do not, that have
/// begun fewer turns than the same stage in another process.
std::vector<std::vector<StageTurn>> behind(const std::vector<HoldStatus>& processes,
                                           bool meets_ranks) {
  std::map<std::string, std::int64_t> furthest;
  for (const auto& process : processes) {
    for (const auto& stage : process.stages) {
      if (stage.meets_ranks == meets_ranks && stage.may_run) {
        auto& turn = furthest[stage.stage];
        turn = std::max(turn, stage.turn);
      }
    }
  }
  std::vector<std::vector<StageTurn>> all;
  for (const auto& process : processes) {
    auto& own = all.emplace_back();
    for (const auto& stage : process.stages) {
      const auto found = furthest.find(stage.stage);
      if (found == furthest.end() || stage.ended || stage.turn >= found->second) continue;
      own.push_back({stage.stage, found->second});
    }
  }
  return all;
}

bool is_any_behind(const std::vector<std::vector<StageTurn>>& behind) {
  return !std::ranges::all_of(behind, &std::vector<StageTurn>::empty);
}

}  // namespace

Agreement agree(const std::vector<HoldStatus>& processes) {
  const auto any = [&](HoldState state) {
    return std::ranges::find(processes, state, &HoldStatus::state) != processes.end();
  };
  Agreement agreement{.behind = behind(processes, true)};
  const bool all_paused = std::ranges::all_of(
      processes, [](const auto& hold) { return hold.state == HoldState::kPaused; });
  if (all_paused && !is_any_behind(agreement.behind) &&
      std::ranges::any_of(processes, is_partial)) {
    // What is not held goes on, so ranks must have fed their collectives equally.
    agreement.behind = behind(processes, false);
  }
  agreement.state = any(HoldState::kStepping)                        ? HoldState::kStepping
                    : is_any_behind(agreement.behind) || !all_paused ? HoldState::kPausing
                                                                     : HoldState::kPaused;
  return agreement;
}

Json result_of(const PeerAnswer& answer) {
  const Json json = Json::parse(answer.text);
  if (!json.at("ok").get<bool>()) {
    const Json& error = json.at("error");
    throw Error(code_of(error.at("code").get<std::string>()),
                error.at("message").get<std::string>())
        .with("on_rank", answer.rank);
  }
  return json.at("result");
}

std::vector<Json> ask_peers(const PeerSessions& peers,
                            const Json& request,
                            std::optional<int> rank) {
  std::vector<Json> results;
  for (const auto& answer : peers.ask(request.dump(), rank)) {
    results.push_back(result_of(answer));
  }
  return results;
}

void PeerHold::pass_on(const Json& request) {
  try {
    (void)ask_peers(peers_, request);
  } catch (const Error&) {
    if (!active_) end();
    throw;
  }
  active_ = true;
  state_ = HoldState::kPausing;
}

HoldStatus PeerHold::last_known() const {
  auto own = own_.hold();
  if (active_ && own.state != HoldState::kRunning) own.state = state_;
  return own;
}

HoldStatus PeerHold::hold(std::string_view debugger) {
  HoldStatus all = own_.hold(debugger);
  if (!active_ || all.state == HoldState::kRunning) return all;
  const Json request{{"verb", "hold"}, {"session", session_}, {"debugger", all.debugger}};
  std::vector<HoldStatus> holds{all};
  std::vector<int> ranks{-1};
  for (const auto& answer : peers_.ask(request.dump())) {
    holds.push_back(hold_of(result_of(answer)));
    ranks.push_back(answer.rank);
  }
  renewed_ = steady_clock().now();
  const auto agreement = agree(holds);
  own_.catch_up(agreement.behind.front());
  for (std::size_t i = 1; i < holds.size(); ++i) {
    all.stages.insert(all.stages.end(), holds[i].stages.begin(), holds[i].stages.end());
    if (!holds[i].reason.empty() && all.reason != "breakpoint") all.reason = holds[i].reason;
    if (agreement.behind[i].empty()) continue;
    Json turns = Json::array();
    for (const auto& [stage, turn] : agreement.behind[i]) {
      turns.push_back({{"stage", stage}, {"turn", turn}});
    }
    (void)ask_peers(peers_, {{"verb", "catch_up"}, {"session", session_}, {"turns", turns}},
                    ranks[i]);
  }
  state_ = agreement.state;
  all.state = state_;
  return all;
}

bool PeerHold::tend() {
  try {
    if (!active_) {
      const auto hit = met_breakpoint();
      if (!hit) return false;
      adopt(*hit);
    }
    if (own_.hold().state == HoldState::kRunning) {
      end();
      return false;
    }
    if (state_ == HoldState::kPaused && steady_clock().now() - renewed_ < kRenewal) return false;
    (void)hold();
    return state_ != HoldState::kPaused;
  } catch (const Error& error) {
    logger("askos.dataflow")->warn("the other processes cannot be held: {}", error.what());
    end();
    return false;
  }
}

/// A stage that stands for a debugger although nobody has paused all says that a breakpoint was
/// met, or that a credit changes; the hold tells which.
std::optional<HoldStatus> PeerHold::met_breakpoint() {
  auto own = own_.hold();
  if (own.reason == "breakpoint") return own;
  const auto stands = [](const StageStatus& stage) {
    return stage.ledger.state == telemetry::State::kPaused;
  };
  for (const auto& reading : peers_.readings(session_)) {
    if (std::ranges::none_of(reading.stages, stands)) continue;
    for (const auto& result : ask_peers(peers_, {{"verb", "hold"}, {"session", session_}})) {
      auto hold = hold_of(result);
      if (hold.reason == "breakpoint") return hold;
    }
    break;
  }
  return std::nullopt;
}

void PeerHold::adopt(const HoldStatus& hit) {
  const Debugger debugger{
      .name = hit.debugger, .lease = std::max(hit.lease_left, kRenewal), .take_over = true};
  if (own_.hold().reason != "breakpoint") own_.pause(debugger);
  pass_on({{"verb", "pause"},
           {"session", session_},
           {"debugger", debugger.name},
           {"lease_s", seconds(debugger.lease)},
           {"take_over", true}});
}

void PeerHold::end() {
  active_ = false;
  own_.resume({.name = own_.hold().debugger, .take_over = true});
  try {
    for (const auto& answer :
         peers_.ask(Json{{"verb", "resume"}, {"session", session_}, {"take_over", true}}.dump())) {
      (void)answer;  // one whose session has ended refuses, and holds nothing
    }
  } catch (const Error& error) {
    logger("askos.dataflow")->warn("not all processes go on by themselves: {}", error.what());
  }
}

}  // namespace askos::dataflow
