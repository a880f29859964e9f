// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>

#include <functional>
#include <memory>

namespace askos::actors {

class MetricsLog;

/// Records training steps in the metrics and tells whoever shows progress. Only rank 0 speaks.
class StepMonitor final : public dataflow::Stage {
 public:
  StepMonitor(const RankContext& rank,
              std::shared_ptr<MetricsLog> metrics,
              std::function<void(const StepReport&)> on_step);

  dataflow::In<StepReport> report;

  void run(dataflow::Context& context) override;

 private:
  bool speaks_;
  int num_groups_;  ///< of ranks that share samples
  std::shared_ptr<MetricsLog> metrics_;
  std::function<void(const StepReport&)> on_step_;
  Nanoseconds last_{};
};

}  // namespace askos::actors
