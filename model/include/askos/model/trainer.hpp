// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/model/autocast.hpp>
#include <askos/model/loss.hpp>
#include <askos/model/network.hpp>
#include <askos/model/optimiser.hpp>
#include <askos/model/rollout.hpp>

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

namespace askos::model {

struct TrainerOptions {
  LearningRate learning_rate = {};
  AdamWOptions adamw = {};
  ClipOptions clip = {};
  /// Factors of the loss on this rank's shard.
  std::vector<Scaler> scalers = {};
  LossOptions loss = {};  ///< of one value, without a root
  RolloutOptions rollout = {};
  /// A running mean of the parameters, p' = decay p' + (1 - decay) p after each update; 0: none.
  double average_decay = 0;
  /// Of linear layers. In float16 the loss is scaled while backward runs, and a step whose gradient
  /// is not finite changes no parameter but makes the scale smaller.
  Precision precision = Precision::kModel;
  /// Gradients are summed over ranks in pieces of about this size, while backward runs.
  std::int64_t bucket_bytes = 1 << 20;
};

/// What one rank trains on in one step.
struct Batch {
  at::Tensor input;  ///< [batch, time, own data node, input variable], see `Network::forward`
  /// [batch, time, own data node, output variable]; n times the model's output steps make a rollout
  /// of n forecasts, each from the one before, and the loss is the mean over them.
  at::Tensor target;
  /// The truth of the target's steps, [batch, time, own data node, input variable]: forcings and
  /// boundaries of a rollout. Undefined where `InputAdvance` needs none.
  at::Tensor later = {};
  /// One weight >= 0 per batch entry; empty: all 1. Weight 0 makes an entry a null sample, whose
  /// values must be finite all the same.
  std::vector<double> weights = {};
  std::vector<std::int64_t> samples = {};  ///< names of the entries, see `Rollout::start`
};

struct StepResult {
  std::int64_t step = 0;  ///< number of steps before this one
  double loss = 0;        ///< weighted mean over the batch entries of all ranks, before the update
  double learning_rate = 0;
  double gradient_norm = 0;  ///< of the global gradient, before it is bounded by norm
  double loss_scale = 1;     ///< under which this step ran backward
  bool is_skipped = false;   ///< for a gradient too large for float16; the norm is 0 then
  /// False if loss or gradient was not finite, on all ranks alike: then nothing was updated.
  bool is_finite = true;
  Nanoseconds forward{};   ///< on a device: of all that runs as one CUDA graph
  Nanoseconds backward{};  ///< with the sums that ran beside it
  Nanoseconds reduce{};    ///< waiting for what was left of the sums
  Nanoseconds optimiser{};
};

/// Trains a network: loss, backward, gradient sum over all ranks, AdamW. Every rank updates its
/// copy of the parameters from the same sums, so the copies stay equal bit by bit.
class Trainer {
 public:
  /// `all_ranks` are the ranks of all models that train together on different samples; the ranks of
  /// one model are `network`'s. Both must outlive the trainer. Collective over `all_ranks`; blocks.
  /// Moves the parameters into one block of memory; one trainer per network.
  Trainer(Network& network, comm::Communicator& all_ranks, TrainerOptions options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Adds a batch's gradient to that of the next step, without an update and without a wait for
  /// other ranks but the model's. The step's loss is the weighted mean over all its batches.
  void accumulate(const Batch& batch);

  /// Makes one step, together with all other ranks, with this batch and those accumulated before.
  /// A step in which all weights are 0 on all ranks changes nothing but the step count.
  StepResult train_step(const Batch& batch);

  /// Computes the loss alone, together with all other ranks; 0 if all weights are.
  [[nodiscard]] double loss(const Batch& batch);

  /// Returns copies of the network's state and, under `optimiser.`, of the moments, the running
  /// mean, step counts and the scale of the loss: all that a later run needs to go on bit by bit.
  /// Call it between steps.
  [[nodiscard]] NamedTensors state() const { return state(0, 1); }
  /// Returns one of `num_shards` parts of it, of about the same size; each tensor is in one.
  [[nodiscard]] NamedTensors state(int shard, int num_shards) const;
  /// Takes back what `state` gave. Throws one `Errc::kInvalidInput` that lists what does not fit.
  void load_state(const NamedTensors& state);
  /// As `load_state`, but for the count of steps: the learning rate's schedule goes on.
  void go_back_to(const NamedTensors& state);

  /// Names the first parameter whose value or gradient is not finite; empty: none.
  [[nodiscard]] std::string find_not_finite() const;

  [[nodiscard]] std::int64_t step() const noexcept;
  /// Sets the schedule of the steps to come, which is no part of the state; between two steps.
  void set_learning_rate(const LearningRate& schedule);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Returns from a trainer's state what a forecast runs with: the running means of the parameters if
/// it has them, else the parameters; and the buffers.
[[nodiscard]] NamedTensors forecast_weights(const NamedTensors& state);

}  // namespace askos::model
