// SPDX-License-Identifier: Apache-2.0
// Runs in each of several processes at once, started by mpirun: see tests.cmake.
#include "comm/conformance/collectives.hpp"
#include "comm/conformance/faults.hpp"
#include "comm/conformance/ordering.hpp"

#include <askos/comm/processes.hpp>

namespace askos::comm::conformance {
namespace {

Processes& processes() {
  static Processes all;
  return all;
}

/// Ranks are processes; those beyond a test's number of ranks stand by.
class MpiBackend final : public Backend {
 public:
  [[nodiscard]] std::string name() const override { return "mpi"; }
  [[nodiscard]] int max_ranks() const override { return processes().size(); }

  void run(int num_ranks, Nanoseconds deadline, const RankBody& body) override {
    const auto all = processes().make_communicator({.deadline = kLongDeadline, .name = "all"});
    {
      const auto world = processes().make_communicator({.deadline = deadline, .name = "world"});
      const bool stands_by = processes().rank() >= num_ranks;
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
};

std::vector<Case> from(int fewest) {
  std::vector<Case> all;
  for (int num_ranks = fewest; num_ranks <= 4; ++num_ranks) {
    all.push_back({[] { return std::make_unique<MpiBackend>(); }, num_ranks});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Mpi, CollectiveConformance, ::testing::ValuesIn(from(1)), case_name);
INSTANTIATE_TEST_SUITE_P(Mpi, OrderConformance, ::testing::ValuesIn(from(1)), case_name);
INSTANTIATE_TEST_SUITE_P(Mpi, FaultConformance, ::testing::ValuesIn(from(2)), case_name);

}  // namespace
}  // namespace askos::comm::conformance
