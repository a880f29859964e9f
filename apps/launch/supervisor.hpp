// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace askos::apps {

/// Runs one rank's command for a launcher: places it on its cores, passes orders on to it, reports
/// how it ended, and stays until the launcher has heard of all ranks, so that a launcher of
/// processes such as mpirun ends nobody before the ranks themselves have said who was lost.
///
///   running -> ended (reported) -> gone, when told so or after `kPatience`
///
/// Returns 0: the report says the rest.
[[nodiscard]] int supervise(const std::vector<std::string>& command, bool on_gpu);

}  // namespace askos::apps
