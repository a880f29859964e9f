// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ordered/ordered_run.hpp"

#include <askos/comm/communicator.hpp>

#include <memory>
#include <string>

namespace askos::comm {

/// Makes a communicator over all ranks of `run`, which must outlive it; all must call it in the
/// same order.
[[nodiscard]] std::unique_ptr<Communicator> make_ordered_communicator(OrderedRun& run,
                                                                      const LocalOptions& options);

}  // namespace askos::comm
