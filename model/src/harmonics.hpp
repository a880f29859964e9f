// SPDX-License-Identifier: Apache-2.0
// Spherical harmonics on grids of latitude rings, as the reference's transforms evaluate them.
#pragma once

#include <askos/comm/partition.hpp>
#include <askos/model/graph.hpp>

#include <ATen/core/Tensor.h>

namespace askos::model {

/// Returns float64 [node of the range, l * m * 2]: what a unit of the real, then of the imaginary
/// part of coefficient (l, m) adds to a field, l and m below `num_degrees`.
///
/// Nodes must lie ring by ring from north to south, each ring from longitude 0 on: a regular grid
/// (2 n longitudes on n latitudes) or an octahedral one (20, 24, … longitudes from either pole).
/// Rings are taken to lie on Gaussian latitudes, whatever the positions say. Throws
/// `Errc::kInvalidInput` for another grid.
[[nodiscard]] at::Tensor harmonics(const Nodes& nodes, int num_degrees, comm::Range range);

}  // namespace askos::model
