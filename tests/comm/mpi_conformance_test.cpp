// SPDX-License-Identifier: Apache-2.0
// Runs in each of several processes at once, started by mpirun: see tests.cmake.
#include "comm/conformance/collectives.hpp"
#include "comm/conformance/faults.hpp"
#include "comm/conformance/ordering.hpp"
#include "comm/process_backend.hpp"

#include <askos/comm/processes.hpp>

namespace askos::comm::conformance {
namespace {

Processes& processes() {
  static Processes all;
  return all;
}

class MpiBackend final : public ProcessBackend<Processes> {
 public:
  MpiBackend() : ProcessBackend(processes()) {}
  [[nodiscard]] std::string name() const override { return "mpi"; }
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
