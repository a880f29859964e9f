// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <typeindex>

namespace askos::dataflow {

/// Returns a type's name as C++ spells it.
[[nodiscard]] std::string type_name(std::type_index type);

}  // namespace askos::dataflow
