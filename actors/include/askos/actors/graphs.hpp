// SPDX-License-Identifier: Apache-2.0
// The three pipelines, built from the same stages; each function reads like its drawing.
#pragma once

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/evaluator.hpp>
#include <askos/actors/gather.hpp>
#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/dataflow/graph.hpp>

#include <functional>
#include <memory>

namespace askos::actors {

class ForecastFile;
class MetricsLog;
class StopGate;

/// read -> partition -> compute -> monitor
///                         └────> checkpoint
struct TrainingGraph {
  std::shared_ptr<const Snapshot> resume;
  std::shared_ptr<MetricsLog> metrics;
  std::function<void(const StepReport&)> on_step;
  Checkpointer::Options checkpoints;
  std::shared_ptr<StopGate> gate;  ///< shared by the ranks of this process
};
[[nodiscard]] dataflow::Graph training_graph(const RankContext& rank, const TrainingGraph& parts);

/// read -> partition -> compute -> gather -> evaluate
struct EvaluationGraph {
  std::shared_ptr<const Snapshot> weights;
  std::function<void(Evaluation)> done;
};
[[nodiscard]] dataflow::Graph evaluation_graph(const RankContext& rank,
                                               const EvaluationGraph& parts);

/// read -> partition -> compute -> gather -> write
struct ForecastGraph {
  std::shared_ptr<const Snapshot> weights;
  std::shared_ptr<ForecastFile> file;
  io::Time from;
  std::int64_t num_steps = 1;
  Layout layout = Layout::kSharded;
};
[[nodiscard]] dataflow::Graph forecast_graph(const RankContext& rank, const ForecastGraph& parts);

}  // namespace askos::actors
