// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/metrics_log.hpp>
#include <askos/actors/step_monitor.hpp>

namespace askos::actors {

StepMonitor::StepMonitor(const RankContext& rank,
                         std::shared_ptr<MetricsLog> metrics,
                         std::function<void(const StepReport&)> on_step)
    : report{*this, "report"},
      speaks_(rank.is_root()),
      num_models_(rank.mesh.model().num_groups),
      metrics_(std::move(metrics)),
      on_step_(std::move(on_step)) {}

void StepMonitor::run(dataflow::Context& context) {
  const auto packet = context.take(report);
  if (!speaks_) {
    return;
  }
  const auto& step = *packet;
  const std::chrono::duration<double> since = step.at - last_;
  io::Metadata::Object record{{"event", "step"},
                              {"step", step.result.step},
                              {"loss", step.result.loss},
                              {"lr", step.result.learning_rate},
                              {"gradient_norm", step.result.gradient_norm}};
  if (last_.count() > 0 && since.count() > 0) {
    record["samples_per_s"] = static_cast<double>(step.num_samples * num_models_) / since.count();
    record["step_s"] = since.count();
  }
  last_ = step.at;
  metrics_->write(record);
  if (on_step_) {
    on_step_(step);
  }
}

}  // namespace askos::actors
