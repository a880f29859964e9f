// SPDX-License-Identifier: Apache-2.0
#include <askos/dataflow/plan.hpp>

namespace askos::dataflow {

PlanReport Plan::check(const std::vector<const Graph*>&, const PlanLimits&) {
  return {};
}

}  // namespace askos::dataflow
