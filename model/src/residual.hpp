// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harmonics.hpp"
#include "truncation.hpp"

#include <askos/model/config.hpp>
#include <askos/model/parameters.hpp>

#include <optional>

namespace askos::model {

/// Positions of a dataset's variables by role, along the axes of input and output.
struct Roles {
  Roles(const Variables& variables, at::Device device);

  at::Tensor prognostic_in;   ///< int64, positions of prognostic variables in the input …
  at::Tensor prognostic_out;  ///< … and, in the same order, in the output
  at::Tensor forcings;        ///< int64, positions in the input
};

/// Smooths the last input step of some variables: see `OrnsteinConfig::low_pass`.
class LowPass {
 public:
  /// `harmonics` [own node, l * m * 2] are those of the residual's coefficients.
  LowPass(Parameters& parameters,
          const DatasetConfig& dataset,
          const Nodes& nodes,
          at::Tensor harmonics);

  /// x [batch, input time, own node, input variable], sharded along nodes by `sizes`.
  [[nodiscard]] at::Tensor operator()(const at::Tensor& x,
                                      const comm::ShardSizes& sizes,
                                      comm::Communicator& ranks) const;

 private:
  SphericalFilter filter_;
  at::Tensor variables_;  // int64, positions in the input
  at::Tensor roots_;      // [variable, degree]; squares add up to odds of being left out
  at::Tensor blend_;      // [variable, l, m, 2], logit of what stays as it is
  at::Tensor harmonics_;
  bool blends_;
};

/// Adds to the output of one dataset what is known of it beforehand: see `Residual`.
class ResidualConnection {
 public:
  /// `grid` is the dataset's, `own` this rank's range of its nodes.
  ResidualConnection(Parameters& parameters,
                     const DatasetConfig& dataset,
                     const DataGridView& grid,
                     comm::Range own);

  /// Returns the input as everything after it sees it: x, but for a low pass.
  [[nodiscard]] at::Tensor seen(const at::Tensor& x,
                                const comm::ShardSizes& sizes,
                                comm::Communicator& ranks) const {
    return low_pass_ ? (*low_pass_)(x, sizes, ranks) : x;
  }

  /// y [batch, output time, own node, output variable], x [batch, input time, own node, input
  /// variable] as seen, both sharded along nodes by `sizes`.
  [[nodiscard]] at::Tensor add(const at::Tensor& y,
                               const at::Tensor& x,
                               const comm::ShardSizes& sizes,
                               comm::Communicator& ranks) const;

 private:
  [[nodiscard]] at::Tensor ornstein(const at::Tensor& last) const;

  Residual kind_;
  std::int64_t step_;
  Roles roles_;
  std::optional<Truncation> truncation_;
  // Ornstein-Uhlenbeck: coefficients of theta, mu and the regressors.
  double margin_;
  at::Tensor weight_;     // [2 + regressor, prognostic] or [2 + regressor, prognostic, l, m, 2]
  at::Tensor kept_;       // spectral: 1 where a coefficient is used, shaped as the weight
  at::Tensor harmonics_;  // spectral: [own node, l * m * 2]
  std::optional<LowPass> low_pass_;
  std::vector<std::int64_t> regressors_;  // positions in the input
};

}  // namespace askos::model
