// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>
#include <askos/model/network.hpp>
#include <askos/model/rollout.hpp>

#include <memory>

namespace askos::actors {

/// Compute without training. Each packet gives a forecast from its own input, as many steps in a
/// row as it has targets (evaluation); or, once the first packet has given the start, one step from
/// its own last forecast and the packet's forcings and boundaries (rollout).
class Forecaster final : public dataflow::Stage {
 public:
  enum class Mode { kFromInput, kRollout };

  Forecaster(const RankContext& rank, std::shared_ptr<const Snapshot> weights, Mode mode);

  dataflow::In<Sample> sample;
  dataflow::Out<Prediction> prediction;

  void start(dataflow::Context& context) override;
  void run(dataflow::Context& context) override;
  [[nodiscard]] dataflow::Threading threading() const override {
    return dataflow::Threading::kDedicated;
  }
  [[nodiscard]] std::string communicator() const override { return "model"; }

 private:
  /// Forecasts of all members, [sample, time, cell, var] or [sample, time, member, cell, var].
  [[nodiscard]] at::Tensor forecast_all(const model::Batch& batch);
  [[nodiscard]] at::Tensor forecast_next(const model::Batch& batch);

  RankContext rank_;
  std::shared_ptr<const Snapshot> weights_;
  Mode mode_;
  bool has_begun_ = false;
  std::unique_ptr<model::Network> network_;
  std::unique_ptr<model::Rollout> rollout_;
};

}  // namespace askos::actors
