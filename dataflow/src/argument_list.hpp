// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/stage_catalog.hpp>

#include <string>
#include <vector>

namespace askos::dataflow {

/// Lists what is wrong with `arguments`, which should be some of `specs`. `noun` is what messages
/// call one of them: `argument`, `key`.
[[nodiscard]] std::vector<Error> check_arguments(const std::vector<ArgumentSpec>& specs,
                                                 const Arguments& arguments,
                                                 const std::string& noun);

/// Adds the fallbacks of those that were not given.
[[nodiscard]] ArgumentValues complete(const std::vector<ArgumentSpec>& specs, Arguments arguments);

}  // namespace askos::dataflow
