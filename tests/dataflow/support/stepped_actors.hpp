// SPDX-License-Identifier: Apache-2.0
// Runs a plan on actors, one message at a time on the calling thread; a seed picks whose turn it
// is. Needs CAF's test coordinator, which later versions do not have.
#pragma once

#include "caf/stage_actors.hpp"
#include "execution.hpp"

#include <caf/scheduler/test_coordinator.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

namespace askos::dataflow::test {

class SteppedActors {
 public:
  SteppedActors(Graph graph, unsigned seed, bool hand_over = false)
      : SteppedActors(Plan(std::move(graph)), seed, hand_over) {}
  SteppedActors(std::vector<Graph> one_per_rank, unsigned seed)
      : SteppedActors(Plan(std::move(one_per_rank)), seed, false) {}
  SteppedActors(Plan plan, unsigned seed, bool hand_over)
      : random_(seed),
        config_(configure()),
        system_(config_),
        execution_(Execution::make(
            std::move(plan), steady_clock(), {.budget = static_cast<int>(1 + seed % 3)})),
        actors_(std::make_unique<StageActors>(
            system_, execution_, StageActorOptions{.all_shared = true, .hand_over = hand_over})) {
    execution_->launch(*actors_);
  }

  ~SteppedActors() {
    execution_->request_stop(std::nullopt);
    while (step()) {
    }
    actors_.reset();  // before the actors' system
  }
  SteppedActors(const SteppedActors&) = delete;
  SteppedActors& operator=(const SteppedActors&) = delete;

  /// Lets one actor handle one message; returns false if none has any.
  bool step() {
    auto& jobs = scheduler().jobs;
    if (jobs.empty()) return false;
    const auto pick = std::uniform_int_distribution<std::size_t>(0, jobs.size() - 1)(random_);
    std::rotate(jobs.begin(), jobs.begin() + static_cast<std::ptrdiff_t>(pick), jobs.end());
    scheduler().run_once();
    return true;
  }

  /// Runs until nobody has a message, and checks the bound of every edge on the way. A graph that
  /// has not ended then hangs.
  std::optional<Outcome> run() {
    while (step()) {
      for (const auto& edge : execution_->status().edges) {
        EXPECT_LE(edge.in_flight, edge.credit) << edge.name;
      }
    }
    return execution_->outcome();
  }

  [[nodiscard]] Execution& execution() { return *execution_; }

 private:
  static caf::actor_system_config configure() {
    caf::core::init_global_meta_objects();
    caf::actor_system_config config;
    config.set("caf.scheduler.policy", "testing");
    return config;
  }
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }

  std::mt19937 random_;
  caf::actor_system_config config_;
  caf::actor_system system_;
  std::shared_ptr<Execution> execution_;
  std::unique_ptr<StageActors> actors_;
};

}  // namespace askos::dataflow::test
