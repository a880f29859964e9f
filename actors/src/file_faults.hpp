// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/rank_context.hpp>
#include <askos/io/file_operations.hpp>

#include <memory>
#include <string>

namespace askos::actors {

/// Returns file operations that heed the run's faults for operations of `stage` on this rank, or
/// nothing if there are none: then the system's own will do.
[[nodiscard]] std::unique_ptr<io::FileOperations> file_operations_with_faults(
    const RankContext& rank, const std::string& stage);

}  // namespace askos::actors
