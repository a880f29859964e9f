// SPDX-License-Identifier: Apache-2.0
#include "window_requests.hpp"

#include <askos/actors/checkpointer.hpp>
#include <askos/actors/forecast_writer.hpp>
#include <askos/actors/forecaster.hpp>
#include <askos/actors/graphs.hpp>
#include <askos/actors/partitioner.hpp>
#include <askos/actors/reader.hpp>
#include <askos/actors/step_monitor.hpp>
#include <askos/actors/trainer.hpp>

#include <algorithm>

namespace askos::actors {
namespace {

/// Slots of a group in each step: its share of the batch, null samples included.
int batch_of_group(const RankContext& rank) {
  const int num_groups = rank.mesh.ensemble().num_groups;
  return (rank.run->config.training.batch_size + num_groups - 1) / num_groups;
}

/// Rows of a sample that is forecast `num_forecasts` times in a row.
int rows_per_sample(const RankContext& rank, int num_forecasts) {
  const auto& data = rank.run->config.data;
  return data.num_input_steps + num_forecasts * data.num_output_steps;
}

void inject_faults(dataflow::Graph& graph, const RankContext& rank) {
  for (const auto& fault : rank.run->config.faults) {
    graph.inject(fault);
  }
}

}  // namespace

dataflow::Graph training_graph(const RankContext& rank, const TrainingGraph& parts) {
  dataflow::Graph graph{"train"};
  const auto& read = graph.add<Reader>(
      "read", rank, training_requests(rank, parts.resume.get(), parts.gate),
      rows_per_sample(rank, longest_rollout(rank.run->config.training)), batch_of_group(rank));
  const auto& partition = graph.add<Partitioner>("partition", rank);
  const auto& compute =
      graph.add<Trainer>("compute", rank, parts.resume, parts.metrics, parts.gate);
  const auto& monitor = graph.add<StepMonitor>("monitor", rank, parts.metrics, parts.on_step);
  const auto& checkpoint = graph.add<Checkpointer>("checkpoint", rank, parts.checkpoints);

  graph.connect(read.window, partition.window, {.credit = 2});  // read one batch ahead
  graph.connect(partition.sample, compute.sample, {.credit = 2});
  graph.connect(compute.report, monitor.report, {.credit = 64});        // never holds training up
  graph.connect(compute.snapshot, checkpoint.snapshot, {.credit = 2});  // one is written, one waits
  inject_faults(graph, rank);
  return graph;
}

dataflow::Graph evaluation_graph(const RankContext& rank, const EvaluationGraph& parts) {
  dataflow::Graph graph{"evaluate"};
  const auto& read = graph.add<Reader>("read", rank, test_requests(rank),
                                       rows_per_sample(rank, rank.run->config.data.test_forecasts),
                                       batch_of_group(rank));
  const auto& partition = graph.add<Partitioner>("partition", rank);
  const auto& compute =
      graph.add<Forecaster>("compute", rank, parts.weights, Forecaster::Mode::kFromInput);
  const auto& gather = graph.add<Gather>("gather", rank, Layout::kSharded);
  const auto& evaluate = graph.add<Evaluator>("evaluate", rank, parts.done);

  graph.connect(read.window, partition.window, {.credit = 2});
  graph.connect(partition.sample, compute.sample, {.credit = 2});
  graph.connect(compute.prediction, gather.shard, {.credit = 2});
  graph.connect(gather.gathered, evaluate.prediction, {.credit = 2});
  inject_faults(graph, rank);
  return graph;
}

dataflow::Graph forecast_graph(const RankContext& rank, const ForecastGraph& parts) {
  dataflow::Graph graph{"forecast"};
  const auto num_rows =
      std::max(rank.run->config.data.num_input_steps, rank.run->config.data.num_output_steps);
  const auto& read = graph.add<Reader>(
      "read", rank, forecast_requests(rank, parts.from, parts.num_steps), num_rows, 1);
  const auto& partition = graph.add<Partitioner>("partition", rank);
  const auto& compute =
      graph.add<Forecaster>("compute", rank, parts.weights, Forecaster::Mode::kRollout);
  const auto& gather = graph.add<Gather>("gather", rank, parts.layout);
  const auto whole_grid = comm::Range{0, rank.run->index->info().num_cells()};
  const auto gathered = rank.mesh.model().rank == 0 ? whole_grid : comm::Range{};
  const auto& write = graph.add<ForecastWriter>(
      "write", rank, parts.file, parts.layout == Layout::kSharded ? rank.own_cells : gathered);

  graph.connect(read.window, partition.window, {.credit = 2});
  graph.connect(partition.sample, compute.sample, {.credit = 2});
  graph.connect(compute.prediction, gather.shard, {.credit = 2});
  graph.connect(gather.gathered, write.prediction, {.credit = 4});  // absorbs slow disks
  inject_faults(graph, rank);
  return graph;
}

}  // namespace askos::actors
