// SPDX-License-Identifier: Apache-2.0
#include "breakpoints.hpp"

#include "execution.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <set>

namespace askos::dataflow {

Breakpoint Breakpoints::add(const Debugger& debugger,
                            std::string_view edge,
                            std::optional<Rank> rank,
                            std::string_view when,
                            std::optional<int> number) {
  Expression condition(when);
  std::map<const StageRunner*, Input> inputs;
  for (const auto found : execution_.edges_named(edge, rank)) {
    const auto& running = execution_.edge(found);
    const auto& port = *execution_.graph_edge(running).to;
    if (condition.uses_payload() && execution_.graph_edge(running).from->describer() == nullptr) {
      throw Error(Errc::kUsage, "payloads of the edge show no tensors").with("edge", edge);
    }
    const auto* const consumer = execution_.runners()[running.consumer].get();
    inputs[consumer] = {.edge = found, .input = static_cast<std::size_t>(port.index())};
  }
  const std::lock_guard lock(mutex_);
  if (number && *number <= newest_) {
    throw Error(Errc::kUsage, "number of the breakpoint is taken")
        .with("breakpoint", *number)
        .with("newest", newest_);
  }
  newest_ = number.value_or(newest_ + 1);
  watches_.push_back({.shown = {.number = newest_,
                                .edge = std::string(edge),
                                .rank = rank,
                                .when = std::string(when)},
                      .debugger = debugger,
                      .condition = std::move(condition),
                      .inputs = std::move(inputs)});
  update_probing();
  return watches_.back().shown;
}

void Breakpoints::remove(std::optional<int> number) {
  const std::lock_guard lock(mutex_);
  const auto removed = std::erase_if(
      watches_, [&](const Watch& watch) { return !number || watch.shown.number == *number; });
  if (number && removed == 0) {
    throw Error(Errc::kNotFound, "no breakpoint of that number").with("breakpoint", *number);
  }
  update_probing();
}

std::vector<Breakpoint> Breakpoints::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<Breakpoint> list;
  for (const auto& watch : watches_) list.push_back(watch.shown);
  return list;
}

void Breakpoints::arm() {
  const std::lock_guard lock(mutex_);
  for (auto& watch : watches_) {
    watch.armed = true;
    watch.shown.hit.reset();
  }
}

void Breakpoints::update_probing() {
  std::set<const StageRunner*> probing;
  for (const auto& watch : watches_) {
    for (const auto& [runner, input] : watch.inputs) probing.insert(runner);
  }
  for (const auto& runner : execution_.runners()) {
    execution_.hold().set_probing(*runner, probing.contains(runner.get()));
  }
}

bool Breakpoints::hits(StageRunner& runner) {
  const std::lock_guard lock(mutex_);
  for (auto& watch : watches_) {
    const auto input = watch.inputs.find(&runner);
    if (!watch.armed || input == watch.inputs.end()) continue;
    if (!is_hit(watch, runner, input->second)) continue;
    watch.armed = false;
    ++watch.shown.num_hits;
    execution_.hold().hit(runner, watch.debugger);
    return true;
  }
  return false;
}

/// Looks at the packets that the next run takes, each once.
bool Breakpoints::is_hit(Watch& watch, const StageRunner& runner, Input& input) {
  auto& edge = *execution_.edge(input.edge).state;
  const auto describer = execution_.graph_edge(execution_.edge(input.edge)).from->describer();
  for (const auto& packet : edge.look(runner.packets_per_run(input.input))) {
    if (packet.number < input.passed) continue;
    input.passed = packet.number + 1;
    PayloadDescription payload;
    if (watch.condition.uses_payload() && packet.payload) payload = describer(packet.payload.get());
    try {
      if (!watch.condition.holds(
              {packet.meta, execution_.seconds_between(packet.tick, telemetry::ticks()), payload}))
        continue;
    } catch (const Error& error) {
      watch.shown.problem = error.what();
      continue;
    }
    watch.shown.hit = BreakpointHit{runner.rank(), packet.meta.sample, packet.meta.trace};
    return true;
  }
  return false;
}

}  // namespace askos::dataflow
