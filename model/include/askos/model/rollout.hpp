// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/input_advance.hpp>
#include <askos/model/network.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace askos::comm {
class Communicator;
}

namespace askos::model {

struct RolloutOptions {
  /// Bool [own data node]: in a limited area, true where the forecast is kept from step to step;
  /// elsewhere the next input is the truth. Undefined: everywhere.
  at::Tensor interior = {};
  int num_members = 1;  ///< of each sample's ensemble, on this rank
  /// The ranks that hold the other members of this rank's shard; none if null. Must outlive.
  comm::Communicator* ensemble = nullptr;
  std::uint64_t noise_seed = 0;
};

/// Forecasts several times in a row, each from the one before, for training and without. Records
/// gradients unless switched off. One thread; ranks of a model, and of an ensemble, together.
class Rollout {
 public:
  /// Collective over the ensemble's ranks. `network` must outlive the rollout.
  Rollout(const Network& network, const RolloutOptions& options);
  ~Rollout();

  /// Members of each sample, on all ranks.
  [[nodiscard]] int num_members() const noexcept;
  /// True on one of the ranks that compute the same once members are gathered.
  [[nodiscard]] bool speaks() const noexcept;

  /// Begins from `x` [batch, input step, own data node, input variable]. `samples` names each
  /// entry: the same name, member, step of the forecast and `draw` give the same noise on every
  /// layout; empty: 0, 1, … Training draws anew in each of its steps.
  void start(const at::Tensor& x,
             const std::vector<std::int64_t>& samples = {},
             std::int64_t draw = 0);

  /// Returns the next forecast of all members, [batch, output step, own data node, output
  /// variable]; with more than one, [batch, output step, member, own data node, output variable].
  [[nodiscard]] at::Tensor forecast();

  /// Makes the last forecast the input of the next. `truth` [batch, output step, own data node,
  /// input variable] of the forecast's steps; undefined where `InputAdvance` needs none.
  void advance(const at::Tensor& truth);

  [[nodiscard]] const InputAdvance& input_advance() const noexcept { return advance_; }

 private:
  [[nodiscard]] ForwardOptions forward_options() const;
  [[nodiscard]] at::Tensor for_each_member(const at::Tensor& x) const;

  const Network& network_;
  RolloutOptions options_;
  InputAdvance advance_;
  std::unique_ptr<comm::Communicator> ensemble_;  ///< null: all members are here
  std::vector<std::int64_t> samples_;
  at::Tensor input_;     ///< [batch * own members, input step, node, variable]
  at::Tensor forecast_;  ///< [batch * own members, output step, node, variable]
  int step_ = 0;
  std::int64_t draw_ = 0;
};

}  // namespace askos::model
