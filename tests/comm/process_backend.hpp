// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "conformance/backend.hpp"

#include <exception>

namespace askos::comm::conformance {

/// Ranks are processes, each of which runs all tests; those beyond a test's number of ranks stand
/// by. `Ranks` is `Processes` or what makes communicators over all processes in the same way.
template <typename Ranks>
class ProcessBackend : public Backend {
 public:
  explicit ProcessBackend(Ranks& ranks) : ranks_(ranks) {}

  [[nodiscard]] int max_ranks() const override { return ranks_.size(); }

  void run(int num_ranks, Nanoseconds deadline, const RankBody& body) override {
    const auto all = ranks_.make_communicator({.deadline = kLongDeadline, .name = "all"});
    {
      const auto world = ranks_.make_communicator({.deadline = deadline, .name = "world"});
      const bool stands_by = ranks_.rank() >= num_ranks;
      const auto group = world->split(stands_by ? 1 : 0, "test");
      if (!stands_by) {
        run_body(*group, body);
      }
      all->barrier()->wait();
    }
    all->barrier()->wait();
  }

 private:
  static void run_body(Communicator& group, const RankBody& body) {
    try {
      body(group);
    } catch (const std::exception& thrown) {
      group.abort("another rank's test body threw");
      ADD_FAILURE() << "rank " << group.rank() << ": " << thrown.what();
    }
  }

  Ranks& ranks_;
};

}  // namespace askos::comm::conformance
