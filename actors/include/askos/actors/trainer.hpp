// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/recorded_calls.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>
#include <askos/model/trainer.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace askos::actors {

class MetricsLog;
class StopGate;

/// Compute in a training graph: forward, loss on the shard, backward, gradient sum, update. Builds
/// the network on its own thread. A loss or gradient that is not finite is dealt with as
/// `training.on_nan` says, by all ranks alike.
class Trainer final : public dataflow::Stage {
 public:
  /// Goes on from `resume` if given. Each rank emits its shard of the snapshots. `metrics` may be
  /// null. The ranks agree at `gate` after each step whether to end early.
  Trainer(const RankContext& rank,
          std::shared_ptr<const Snapshot> resume,
          std::shared_ptr<MetricsLog> metrics,
          std::shared_ptr<StopGate> gate);

  dataflow::In<Sample> sample;
  dataflow::Out<StepReport> report;
  dataflow::Out<Snapshot> snapshot;

  void start(dataflow::Context& context) override;
  void run(dataflow::Context& context) override;
  void finish(dataflow::Context& context) override;
  [[nodiscard]] dataflow::Threading threading() const override {
    return dataflow::Threading::kDedicated;
  }
  [[nodiscard]] std::string communicator() const override { return "model"; }

  /// `learning_rate`, the peak of the schedule, and `final_learning_rate`, for the steps to come.
  [[nodiscard]] dataflow::Arguments arguments() const override;
  [[nodiscard]] dataflow::ArgumentChange change_argument(const std::string& name,
                                                         const dataflow::Argument& value) override;

  [[nodiscard]] bool replayable() const override { return true; }
  [[nodiscard]] std::optional<dataflow::StoredArrays> save_state() const override;
  void load_state(const dataflow::StoredArrays& state) override;
  void keep_received() override;
  [[nodiscard]] dataflow::StoredArrays take_received() override;
  void supply_received(const dataflow::StoredArrays& received) override;

 private:
  void emit_snapshot(dataflow::Context& context);
  /// Skips or undoes a step whose result is not finite, or throws. Collective.
  void deal_with(const model::StepResult& result, const model::Batch& batch);
  void roll_back(const Error& cause);
  /// Makes a step and records its memory: activations of all later ones of its length are the same.
  model::StepResult measured_step(const model::Batch& batch);

  RankContext rank_;
  std::shared_ptr<const Snapshot> resume_;
  std::shared_ptr<MetricsLog> metrics_;
  std::shared_ptr<StopGate> gate_;
  std::shared_ptr<comm::CallRecorder> calls_;    ///< of this stage; null in a replay
  std::vector<comm::RecordedCall> start_calls_;  ///< what the making of the network received
  model::LearningRate learning_rate_;
  std::unique_ptr<model::Network> network_;
  std::unique_ptr<model::Trainer> trainer_;
  io::SchedulePosition position_;
  std::int64_t last_snapshot_ = -1;
  double loss_sum_ = 0;               ///< since the last snapshot
  std::int64_t num_losses_ = 0;       ///< likewise
  int num_not_finite_ = 0;            ///< steps so far
  std::int64_t measured_length_ = 0;  ///< of the longest target so far
  int num_accumulated_ = 0;
  std::vector<io::Time> samples_;  ///< of the step under way
};

}  // namespace askos::actors
