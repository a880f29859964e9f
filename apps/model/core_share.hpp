// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/communicator.hpp>

#include <string>
#include <vector>

namespace askos::apps {

/// How many cores a rank has to itself.
struct CoreShare {
  int num_threads = 1;                ///< that this process should use for its rank
  std::vector<std::string> warnings;  ///< one for each host with more ranks than cores
};

/// Shares the cores that this process may run on among the processes that may run on the same.
/// `processes` may be null: then this process has `num_ranks` ranks for itself. Else collective.
[[nodiscard]] CoreShare exchange_core_shares(comm::Communicator* processes, int num_ranks);

}  // namespace askos::apps
