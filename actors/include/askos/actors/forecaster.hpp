// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>
#include <askos/model/network.hpp>

#include <memory>

namespace askos::actors {

/// Compute without training. Each packet gives one forecast: from its own input (evaluation), or,
/// once the first packet has given the start, from its own last forecast and the packet's forcings
/// (rollout).
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
  [[nodiscard]] at::Tensor next_input(const at::Tensor& forecast, const at::Tensor& forcings) const;

  RankContext rank_;
  std::shared_ptr<const Snapshot> weights_;
  Mode mode_;
  std::unique_ptr<model::Network> network_;
  at::Tensor state_;          ///< [sample, input step, cell, input var], of the last forecast
  at::Tensor last_forecast_;  ///< [sample, output step, cell, output var]
};

}  // namespace askos::actors
