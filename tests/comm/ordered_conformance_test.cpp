// SPDX-License-Identifier: Apache-2.0
#include "comm/conformance/collectives.hpp"
#include "comm/conformance/faults.hpp"
#include "comm/conformance/ordering.hpp"
#include "comm/ordered_backend.hpp"

namespace askos::comm::conformance {
namespace {

std::vector<Case> from(int fewest) {
  std::vector<Case> all;
  for (int num_ranks = fewest; num_ranks <= 4; ++num_ranks) {
    all.push_back({[] { return std::make_unique<OrderedBackend>(); }, num_ranks});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Ordered, CollectiveConformance, ::testing::ValuesIn(from(1)), case_name);
INSTANTIATE_TEST_SUITE_P(Ordered, OrderConformance, ::testing::ValuesIn(from(1)), case_name);
INSTANTIATE_TEST_SUITE_P(Ordered, FaultConformance, ::testing::ValuesIn(from(2)), case_name);

}  // namespace
}  // namespace askos::comm::conformance
