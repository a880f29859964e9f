// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace askos::model {

/// Records LibTorch's operators, nodes of the backward pass among them, in the traces of the stages
/// whose threads run them, as long as what it returns lives, or another one. Any thread. What runs
/// on threads of LibTorch's own is not seen: the backward pass on a GPU. Costs nothing before and
/// after.
[[nodiscard]] std::shared_ptr<void> trace_operators();

}  // namespace askos::model
