// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "faults.hpp"

#include <askos/model/preprocessing.hpp>

namespace askos::model {

/// Notes what makes a mapping impossible to apply or to undo.
void check_mapping(Faults& faults, const std::string& name, const Mapping& mapping);

/// Says whether a mapping takes all values; values that are missing (NaN) are left missing.
[[nodiscard]] bool can_map(const Mapping& mapping, const at::Tensor& x);
[[nodiscard]] at::Tensor mapped_values(const Mapping& mapping, const at::Tensor& x);

/// Undoes a mapping; what it cannot have given is brought within its range.
[[nodiscard]] at::Tensor unmapped_values(const Mapping& mapping, const at::Tensor& y);

}  // namespace askos::model
