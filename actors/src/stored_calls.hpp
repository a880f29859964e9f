// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/recorded_calls.hpp>
#include <askos/dataflow/stored_arrays.hpp>

#include <string>
#include <vector>

namespace askos::actors {

/// Stores what collectives received as arrays of bytes whose names tell place and call:
/// `000012 all_reduce(sum, float32 x 12)`, after `prefix`.
[[nodiscard]] dataflow::StoredArrays stored_calls(const std::string& prefix,
                                                  const std::vector<comm::RecordedCall>& calls);

/// Returns the calls among arrays whose names begin with `prefix`.
[[nodiscard]] std::vector<comm::RecordedCall> calls_of(const std::string& prefix,
                                                       const dataflow::StoredArrays& arrays);

}  // namespace askos::actors
