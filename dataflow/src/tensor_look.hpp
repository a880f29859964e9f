// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/dataflow/peek.hpp>

namespace askos::dataflow {

/// Fills in what `request` asks of `tensor`. Throws `Errc::kUsage`, naming the axis, if the slice
/// does not fit.
[[nodiscard]] PeekedTensor look_at(const TensorView& tensor, const PeekRequest& request);

}  // namespace askos::dataflow
