// SPDX-License-Identifier: Apache-2.0
#include "comm/conformance/collectives.hpp"
#include "comm/conformance/faults.hpp"
#include "comm/conformance/ordering.hpp"
#include "comm/local_backend.hpp"

namespace askos::comm::conformance {
namespace {

std::vector<Case> from(int fewest) {
  std::vector<Case> all;
  for (int num_ranks = fewest; num_ranks <= 5; ++num_ranks) {
    all.push_back({[] { return std::make_unique<LocalBackend>(); }, num_ranks});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Local, CollectiveConformance, ::testing::ValuesIn(from(1)), case_name);
INSTANTIATE_TEST_SUITE_P(Local, OrderConformance, ::testing::ValuesIn(from(1)), case_name);
INSTANTIATE_TEST_SUITE_P(Local, FaultConformance, ::testing::ValuesIn(from(2)), case_name);

}  // namespace
}  // namespace askos::comm::conformance
