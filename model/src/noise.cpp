// SPDX-License-Identifier: Apache-2.0
#include "noise.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace askos::model {
namespace {

/// splitmix64's finaliser.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

/// A number in (0, 1) with 53 random bits.
double uniform(std::uint64_t bits) {
  return (static_cast<double>(bits >> 11U) + 0.5) * 0x1p-53;
}

/// Box and Muller's method (1958), the cosine half.
double normal(std::uint64_t key) {
  const double radius = std::sqrt(-2 * std::log(uniform(mixed(key))));
  return radius * std::cos(2 * std::numbers::pi * uniform(mixed(~key)));
}

}  // namespace

at::Tensor standard_normal(std::uint64_t seed,
                           const std::vector<std::int64_t>& members,
                           const std::vector<std::int64_t>& nodes,
                           std::int64_t num_channels,
                           at::ScalarType dtype) {
  const at::Tensor numbers = at::empty({static_cast<std::int64_t>(members.size()),
                                        static_cast<std::int64_t>(nodes.size()), num_channels},
                                       at::kDouble);
  double* next = numbers.data_ptr<double>();
  for (const std::int64_t member : members) {
    const std::uint64_t of_member = mixed(mixed(seed) ^ static_cast<std::uint64_t>(member));
    for (const std::int64_t node : nodes) {
      const std::uint64_t of_node = mixed(of_member ^ static_cast<std::uint64_t>(node));
      for (std::int64_t c = 0; c < num_channels; ++c) {
        *next++ = normal(mixed(of_node ^ static_cast<std::uint64_t>(c)));
      }
    }
  }
  return numbers.to(dtype);
}

NoiseInjector::NoiseInjector(Parameters& parameters,
                             const NoiseConfig& config,
                             std::int64_t latent_channels,
                             const SparseMatrix& projection,
                             comm::Range own)
    : config_(config), options_(parameters.options()), num_own_(own.size()) {
  const bool mixes = config.kind == NoiseConfig::Kind::kInjection;
  const std::string name =
      mixes ? "noise_injector._noise_conditioning.noise_mlp" : "noise_injector.noise_mlp";
  in_ = Linear(parameters, name + ".mlp.0", config.channels, config.mlp_channels);
  out_ = Linear(parameters, name + ".mlp.2", config.mlp_channels, config.channels);
  norm_ = LayerNorm(parameters, name + ".layer_norm", config.channels);
  if (mixes) {
    mix_ = Linear(parameters, "noise_injector.projection", latent_channels + config.channels,
                  latent_channels);
  }
  if (projection.num_rows == 0) {
    nodes_.resize(static_cast<std::size_t>(own.size()));
    std::iota(nodes_.begin(), nodes_.end(), own.begin);
  } else {
    const auto first = projection.row_offsets[static_cast<std::size_t>(own.begin)];
    const auto last = projection.row_offsets[static_cast<std::size_t>(own.end)];
    std::vector<std::int64_t> columns(projection.columns.begin() + first,
                                      projection.columns.begin() + last);
    nodes_ = columns;
    std::sort(nodes_.begin(), nodes_.end());
    nodes_.erase(std::unique(nodes_.begin(), nodes_.end()), nodes_.end());
    for (auto& column : columns) {
      column = std::lower_bound(nodes_.begin(), nodes_.end(), column) - nodes_.begin();
    }
    const at::Tensor offsets = at::tensor(projection.row_offsets, at::kLong);
    rows_ = at::repeat_interleave(at::arange(own.size(), at::kLong),
                                  offsets.narrow(0, own.begin, own.size() + 1).diff())
                .to(parameters.device());
    columns_ = at::tensor(columns, at::kLong).to(parameters.device());
    values_ = at::tensor(projection.values, at::kDouble)
                  .narrow(0, first, last - first)
                  .to(options_)
                  .unsqueeze(1);
  }
  node_positions_ = at::tensor(nodes_, at::kLong).to(parameters.device());
}

/// Noise on own hidden nodes before its network: [batch, own hidden node, noise channel].
at::Tensor NoiseInjector::drawn(std::int64_t batch, const ForwardOptions& options) const {
  at::Tensor noise;
  if (options.noise.defined()) {
    if (options.noise.dim() != 3 || options.noise.size(0) != batch ||
        options.noise.size(2) != config_.channels) {
      throw Error(Errc::kShapeMismatch, "noise needs [batch, noise node, channel]")
          .with("batch", batch)
          .with("channels", config_.channels);
    }
    noise = options.noise.to(options_).index_select(1, node_positions_);
  } else {
    std::vector<std::int64_t> members = options.members;
    if (members.empty()) {
      members.resize(static_cast<std::size_t>(batch));
      std::iota(members.begin(), members.end(), std::int64_t{0});
    }
    if (static_cast<std::int64_t>(members.size()) != batch) {
      throw Error(Errc::kShapeMismatch, "one member per batch entry is needed")
          .with("batch", batch)
          .with("members", members.size());
    }
    noise = standard_normal(options.noise_seed, members, nodes_, config_.channels, at::kDouble)
                .to(options_);
  }
  noise = noise * config_.deviation;
  if (!rows_.defined()) return noise;
  return at::zeros({batch, num_own_, config_.channels}, noise.options())
      .index_add_(1, rows_, noise.index_select(1, columns_) * values_);
}

NoiseInjector::Result NoiseInjector::operator()(const at::Tensor& latent,
                                                const ForwardOptions& options) const {
  const at::Tensor noise = norm_(out_(at::gelu(in_(drawn(latent.size(0), options)))));
  if (config_.kind == NoiseConfig::Kind::kConditioning) return {latent, noise};
  return {mix_(at::cat({latent, noise}, 2)), {}};
}

}  // namespace askos::model
