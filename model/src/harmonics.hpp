// SPDX-License-Identifier: Apache-2.0
// Spherical harmonics on grids of latitude rings, as the reference's transforms evaluate them.
#pragma once

#include <askos/comm/partition.hpp>
#include <askos/model/graph.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace askos::model {

/// Returns float64 [node of the range, l * m * 2]: what a unit of the real, then of the imaginary
/// part of coefficient (l, m) adds to a field, l and m below `num_degrees`.
///
/// Nodes must lie ring by ring from north to south, each ring from longitude 0 on: a regular grid
/// (2 n longitudes on n latitudes) or an octahedral one (20, 24, … longitudes from either pole).
/// Rings are taken to lie on Gaussian latitudes, whatever the positions say. Throws
/// `Errc::kInvalidInput` for another grid.
[[nodiscard]] at::Tensor harmonics(const Nodes& nodes, int num_degrees, comm::Range range);

/// Multiplies the part of a field that has one degree of spherical harmonics, degree by degree. On
/// grids as `harmonics` wants them; degrees and orders are below the number of rings.
class SphericalFilter {
 public:
  /// `options` are those of the fields: float32 or float64.
  SphericalFilter(const Nodes& nodes, const at::TensorOptions& options);

  [[nodiscard]] std::int64_t num_degrees() const noexcept {
    return static_cast<std::int64_t>(rings_.size());
  }

  /// x [batch, field, node] of the whole grid, gains [field, degree]; gives x's shape.
  /// Differentiable in both: a Fourier transform along rings, then Gaussian quadrature over them.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x, const at::Tensor& gains) const;

 private:
  std::vector<std::int64_t> rings_;  // nodes on each
  at::Tensor analysis_;              // [ring, l, m], with the weights of the quadrature
  at::Tensor synthesis_;             // [ring, l, m]
};

}  // namespace askos::model
