// SPDX-License-Identifier: Apache-2.0
#include "harmonics.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace askos::model {
namespace {

constexpr double kPi = std::numbers::pi;

/// Number of nodes on each ring, from north to south.
std::vector<std::int64_t> rings_of(const Nodes& nodes) {
  // Positions come from float32 files: equal latitudes are equal numbers there.
  std::vector<double> lat = nodes.lat;
  std::sort(lat.begin(), lat.end());
  const auto num_rings = std::unique(lat.begin(), lat.end()) - lat.begin();
  std::vector<std::int64_t> rings(static_cast<std::size_t>(num_rings), 2 * num_rings);
  if (std::accumulate(rings.begin(), rings.end(), std::int64_t{0}) == nodes.size()) return rings;
  for (std::ptrdiff_t k = 0; k < num_rings; ++k) {
    rings[static_cast<std::size_t>(k)] = 20 + 4 * std::min(k, num_rings - 1 - k);
  }
  if (num_rings % 2 == 0 &&
      std::accumulate(rings.begin(), rings.end(), std::int64_t{0}) == nodes.size()) {
    return rings;
  }
  throw Error(Errc::kInvalidInput, "spectral residual needs a regular or an octahedral grid")
      .with("nodes", nodes.size())
      .with("latitudes", num_rings);
}

/// Sines of the n Gaussian latitudes, falling: the zeros of the Legendre polynomial of degree n, by
/// Newton's method. Their weights add up to 2.
struct GaussianLatitudes {
  std::vector<double> sines;
  std::vector<double> weights;
};

GaussianLatitudes gaussian_latitudes(std::size_t n) {
  GaussianLatitudes latitudes{std::vector<double>(n), std::vector<double>(n)};
  for (std::size_t k = 0; k < n; ++k) {
    double x = std::cos(kPi * (static_cast<double>(k) + 0.75) / (static_cast<double>(n) + 0.5));
    double slope = 1;
    for (int iteration = 0; iteration < 20; ++iteration) {
      double before = 1;
      double value = x;
      for (std::size_t l = 2; l <= n; ++l) {
        const auto d = static_cast<double>(l);
        before = std::exchange(value, ((2 * d - 1) * x * value - (d - 1) * before) / d);
      }
      slope = static_cast<double>(n) * (x * value - before) / (x * x - 1);
      x -= value / slope;
    }
    latitudes.sines[k] = x;
    latitudes.weights[k] = 2 / ((1 - x * x) * slope * slope);
  }
  return latitudes;
}

/// Normalised associated Legendre functions at x, [l][m], divided by 4 pi.
std::vector<std::vector<double>> legendre_functions(double x, int num_degrees) {
  const auto n = static_cast<std::size_t>(num_degrees);
  std::vector<std::vector<double>> p(n, std::vector<double>(n, 0));
  for (std::size_t m = 0; m < n; ++m) {
    const auto order = static_cast<double>(m);
    p[m][m] = m == 0 ? 1 / (4 * kPi)
                     : std::sqrt((2 * order + 1) * (1 - x * x) / (2 * order)) * p[m - 1][m - 1];
    for (std::size_t l = m + 1; l < n; ++l) {
      const auto d = static_cast<double>(l);
      const double a = std::sqrt((4 * d * d - 1) / (d * d - order * order));
      const double e = d - 1;
      const double b =
          l == m + 1 ? 0 : std::sqrt((e * e - order * order) / (4 * e * e - 1)) * p[l - 2][m];
      p[l][m] = a * (x * p[l - 1][m] - b);
    }
  }
  return p;
}

}  // namespace

at::Tensor harmonics(const Nodes& nodes, int num_degrees, comm::Range range) {
  const auto rings = rings_of(nodes);
  const auto sines = gaussian_latitudes(rings.size()).sines;
  const std::int64_t n = num_degrees;
  const at::Tensor table = at::zeros({range.size(), n * n * 2}, at::kDouble);
  double* row = table.data_ptr<double>();
  std::int64_t first = 0;
  for (std::size_t k = 0; k < rings.size(); first += rings[k++]) {
    const std::int64_t begin = std::max(range.begin, first);
    const std::int64_t end = std::min(range.end, first + rings[k]);
    if (begin >= end) continue;
    const auto p = legendre_functions(sines[k], num_degrees);
    for (std::int64_t node = begin; node < end; ++node) {
      const double lon =
          2 * kPi * static_cast<double>(node - first) / static_cast<double>(rings[k]);
      for (std::size_t l = 0; l < p.size(); ++l) {
        for (std::size_t m = 0; m < p.size(); ++m, row += 2) {
          const double factor = (m == 0 ? 1 : 2) * p[l][m];
          row[0] = factor * std::cos(static_cast<double>(m) * lon);
          row[1] = m == 0 ? 0 : -factor * std::sin(static_cast<double>(m) * lon);
        }
      }
    }
  }
  return table;
}

SphericalFilter::SphericalFilter(const Nodes& nodes, const at::TensorOptions& options)
    : rings_(rings_of(nodes)) {
  const auto n = static_cast<std::int64_t>(rings_.size());
  const auto latitudes = gaussian_latitudes(rings_.size());
  const at::Tensor functions = at::empty({n, n, n}, at::kDouble);  // [ring, l, m]
  double* next = functions.data_ptr<double>();
  for (const double sine : latitudes.sines) {
    for (const auto& of_degree : legendre_functions(sine, static_cast<int>(n))) {
      next = std::copy(of_degree.begin(), of_degree.end(), next);
    }
  }
  synthesis_ = functions.to(options);
  // The mean over a ring stands for an integral over longitudes; functions come divided by 4 pi.
  const at::Tensor weights = at::tensor(latitudes.weights, at::kDouble) * (8 * kPi * kPi);
  analysis_ = (functions * weights.view({-1, 1, 1})).to(options);
}

at::Tensor SphericalFilter::operator()(const at::Tensor& x, const at::Tensor& gains) const {
  const std::int64_t n = num_degrees();
  std::vector<at::Tensor> waves;  // of each ring: [batch, field, m, 2]
  std::int64_t first = 0;
  for (const std::int64_t size : rings_) {
    const at::Tensor wave = at::fft_rfft(x.narrow(2, first, size), {}, -1, "forward");
    const std::int64_t kept = std::min(n, wave.size(2));
    waves.push_back(
        at::constant_pad_nd(at::view_as_real(wave.narrow(2, 0, kept)), {0, 0, 0, n - kept}));
    first += size;
  }
  // [batch, field, ring, m, 2] to coefficients [batch, field, l, m, 2] and back.
  const at::Tensor coefficients = at::einsum("bvkmc,klm->bvlmc", {at::stack(waves, 2), analysis_});
  const at::Tensor filtered = coefficients * gains.view({1, -1, n, 1, 1});
  const at::Tensor kept = at::einsum("bvlmc,klm->bvkmc", {filtered, synthesis_});
  std::vector<at::Tensor> rings;
  for (std::size_t k = 0; k < rings_.size(); ++k) {
    const at::Tensor wave = kept.select(2, static_cast<std::int64_t>(k)).contiguous();
    rings.push_back(at::fft_irfft(at::view_as_complex(wave), rings_[k], -1, "forward"));
  }
  return at::cat(rings, 2);
}

}  // namespace askos::model
