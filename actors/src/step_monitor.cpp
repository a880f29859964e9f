// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/metrics_log.hpp>
#include <askos/actors/step_monitor.hpp>

namespace askos::actors {

StepMonitor::StepMonitor(const RankContext& rank,
                         std::shared_ptr<MetricsLog> metrics,
                         std::function<void(const StepReport&)> on_step)
    : report{*this, "report"},
      speaks_(rank.is_root()),
      num_groups_(rank.mesh.ensemble().num_groups),
      metrics_(std::move(metrics)),
      on_step_(std::move(on_step)) {}

void StepMonitor::run(dataflow::Context& context) {
  const auto packet = context.take(report);
  if (!speaks_) {
    return;
  }
  const auto& step = *packet;
  io::Metadata::Array samples;
  for (const auto& time : step.samples) {
    samples.emplace_back(io::format_time(time));
  }
  const std::chrono::duration<double> since = step.at - last_;
  io::Metadata::Object record{{"event", "step"},
                              {"step", step.result.step},
                              {"samples", std::move(samples)},
                              {"lr", step.result.learning_rate}};
  if (step.result.is_finite) {
    record["loss"] = step.result.loss;
    record["gradient_norm"] = step.result.gradient_norm;
  } else {
    record["event"] = "skipped";  // JSON has no number for its loss
  }
  if (step.result.loss_scale != 1) {
    record["loss_scale"] = step.result.loss_scale;
    record["skipped"] = step.result.is_skipped;
  }
  if (last_.count() > 0 && since.count() > 0) {
    const auto num_samples = static_cast<double>(step.samples.size()) * num_groups_;
    record["samples_per_s"] = num_samples / since.count();
    record["step_s"] = since.count();
  }
  last_ = step.at;
  metrics_->write(record);
  if (on_step_) {
    on_step_(step);
  }
}

}  // namespace askos::actors
