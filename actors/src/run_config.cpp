// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/run_config.hpp>
#include <askos/base/error.hpp>
#include <askos/io/normaliser.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

namespace askos::actors {
namespace {

/// Collects everything that is wrong into one error.
class Faults {
 public:
  void require(bool holds, const char* key, const std::string& expected) {
    if (!holds) {
      error_.with(key, expected);
      ++count_;
    }
  }
  void throw_if_any() const {
    if (count_ > 0) {
      throw error_;
    }
  }

 private:
  Error error_{Errc::kInvalidInput, "configuration makes no sense; wanted"};
  int count_ = 0;
};

bool is_range(const comm::Range& range) {
  return range.begin >= 0 && range.end > range.begin;
}

bool is_normalisation(const std::string& name) {
  try {
    (void)io::parse_normalisation(name);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool divides(int part, int whole) {
  return part > 0 && whole % part == 0;
}

void check_data(Faults& faults, const DataConfig& data) {
  constexpr const char* kNormalisations = "mean-std, std, min-max, max or none";
  faults.require(!data.file.empty(), "data.file", "a dataset");
  faults.require(data.num_input_steps > 0, "data.input_steps", "> 0");
  faults.require(data.num_output_steps > 0, "data.output_steps", "> 0");
  faults.require(is_range(data.train_rows), "data.train_rows", "0 <= first < end");
  faults.require(is_range(data.test_rows), "data.test_rows", "0 <= first < end");
  faults.require(data.test_forecasts > 0, "data.test_forecasts", "> 0");
  faults.require(data.boundary_cells >= 0, "data.boundary_cells", ">= 0");
  faults.require(is_normalisation(data.normalizer), "data.normalizer", kNormalisations);
  const auto known = [](const auto& entry) { return is_normalisation(entry.second); };
  faults.require(std::ranges::all_of(data.normalizers, known), "data.normalizers", kNormalisations);
}

void check_graph(Faults& faults, const GraphConfig& graph) {
  const auto& [num_hidden, encoder, processor, decoder] = graph.regional;
  faults.require(num_hidden >= 0, "graph.hidden_nodes", ">= 0 (0: a quarter of the cells)");
  faults.require(encoder > 0, "graph.encoder_neighbours", "> 0");
  faults.require(processor > 0, "graph.processor_neighbours", "> 0");
  faults.require(decoder > 0, "graph.decoder_neighbours", "> 0");
  faults.require(graph.global.level >= 0 && graph.global.level <= 12, "graph.level", "0 to 12");
  if (graph.kind == GraphKind::kStretched) {
    const auto& [south, north, west, east] = graph.region;
    faults.require(graph.region_level >= graph.global.level && graph.region_level <= 12,
                   "graph.region_level", "graph.level to 12");
    faults.require(south >= -90 && south < north && north <= 90 && west != east, "graph.region",
                   "[south, north, west, east] in degrees, south < north");
  }
  faults.require(graph.global.cut_off_factor > 0, "graph.cut_off_factor", "> 0");
}

void check_model(Faults& faults, const model::ModelConfig& model, DType dtype) {
  faults.require(dtype == DType::kFloat32 || dtype == DType::kFloat64, "model.dtype",
                 "float32 or float64");
  faults.require(model.num_channels > 0, "model.channels", "> 0");
  const int attention = model.encoder.attention_channels;
  faults.require(attention >= 0, "model.attention_channels", ">= 0 (0: as model.channels)");
  const int width = attention > 0 ? attention : model.num_channels;
  faults.require(
      divides(model.encoder.num_heads, width), "model.heads",
      (attention > 0 ? "a divisor of model.attention_channels " : "a divisor of model.channels ") +
          std::to_string(width));
  faults.require(model.num_layers >= 0, "model.layers", ">= 0");
  faults.require(model.encoder.mlp_hidden_ratio > 0, "model.mlp_hidden_ratio", "> 0");
  faults.require(model.data_node_trainables >= 0, "model.node_trainables", ">= 0");
  faults.require(model.encoder.edge_trainables >= 0, "model.edge_trainables", ">= 0");
  faults.require(model.noise.deviation >= 0, "model.noise_deviation", ">= 0");
  faults.require(model.noise.channels > 0, "model.noise_channels", "> 0");
  faults.require(model.noise.mlp_channels > 0, "model.noise_mlp_channels", "> 0");
  faults.require(model.encoder.num_chunks >= 0, "model.mapper_chunks", ">= 0");
  faults.require(model.processor.num_chunks >= 0 &&
                     model.processor.num_chunks <= std::max(1, model.num_layers),
                 "model.processor_chunks", "0 to model.layers " + std::to_string(model.num_layers));
}

void check_training(Faults& faults, const TrainingConfig& training) {
  faults.require(training.steps >= 0, "training.steps", ">= 0");
  faults.require(training.batch_size > 0, "training.batch_size", "> 0");
  faults.require(training.accumulate > 0, "training.accumulate", "> 0");
  faults.require(training.rollout > 0, "training.rollout", "> 0");
  faults.require(training.rollout_max == 0 || training.rollout_max >= training.rollout,
                 "training.rollout_max", "0, or >= training.rollout");
  faults.require(training.rollout_every > 0, "training.rollout_every", "> 0");
  faults.require(training.average_decay >= 0 && training.average_decay < 1,
                 "training.average_decay", "0 <= decay < 1");
  for (const auto& [parameter, weight] : training.parameter_weights) {
    faults.require(weight >= 0, "training.parameter_weights", "weights >= 0");
  }
  faults.require(training.learning_rate >= 0, "training.learning_rate", ">= 0");
  faults.require(training.warmup_steps >= 0, "training.warmup_steps", ">= 0");
  faults.require(training.weight_decay >= 0, "training.weight_decay", ">= 0");
  faults.require(training.clip_norm >= 0, "training.clip_norm", ">= 0");
  faults.require(training.clip_value >= 0, "training.clip_value", ">= 0");
}

void check_ensemble(Faults& faults, const RunConfig& config) {
  const auto& run = config.run;
  const bool is_ensemble = config.members > 1;
  faults.require(config.members > 0, "model.members", "> 0");
  faults.require(!is_ensemble || config.model.noise.kind != model::NoiseConfig::Kind::kNone,
                 "model.noise", "conditioning or injection, for more than one member");
  faults.require(
      is_ensemble == (config.training.loss.error == model::ErrorKind::kCrps), "training.loss",
      is_ensemble ? "crps, for more than one member" : "another than crps, for a single member");
  const int per_model = run.ranks_per_model == 0 ? run.ranks : run.ranks_per_model;
  if (per_model <= 0 || !divides(per_model, run.ranks)) return;  // a fault of its own
  const int per_ensemble = run.ranks_per_ensemble == 0 ? per_model : run.ranks_per_ensemble;
  faults.require(per_ensemble % per_model == 0 && divides(per_ensemble, run.ranks),
                 "run.ranks_per_ensemble",
                 "a multiple of run.ranks_per_model that divides run.ranks (0: one model)");
  faults.require(divides(per_ensemble / per_model, config.members), "model.members",
                 "a multiple of run.ranks_per_ensemble / run.ranks_per_model");
}

void check_run(Faults& faults, const RunOptions& run) {
  faults.require(!run.folder.empty(), "run.folder", "a folder");
  faults.require(run.ranks > 0, "run.ranks", "> 0");
  faults.require(run.device == "cpu" || run.device == "cuda" || run.device == "auto", "run.device",
                 "cpu, cuda or auto");
  const int per_model = run.ranks_per_model == 0 ? run.ranks : run.ranks_per_model;
  faults.require(divides(per_model, run.ranks), "run.ranks_per_model",
                 "a divisor of run.ranks " + std::to_string(run.ranks) + " (0: all of them)");
  faults.require(
      run.num_readers_per_model == 0 || divides(run.num_readers_per_model, per_model),
      "run.readers_per_model",
      "a divisor of the ranks of a model, " + std::to_string(per_model) + " (0: one reader each)");
  faults.require(run.num_threads_per_rank >= 0, "run.threads_per_rank", ">= 0 (0: cores / ranks)");
  faults.require(run.prefetch_samples >= 0, "run.prefetch_samples", ">= 0");
  faults.require(run.checkpoint_every >= 0, "run.checkpoint_every", ">= 0");
  faults.require(run.keep_checkpoints > 0, "run.keep_checkpoints", "> 0");
  faults.require(run.keep_checkpoints_every >= 0, "run.keep_checkpoints_every", ">= 0 (0: none)");
  faults.require(run.deadline > Nanoseconds(0), "run.deadline", "> 0");
  faults.require(run.heartbeat == Nanoseconds(0) || run.heartbeat >= std::chrono::milliseconds(500),
                 "run.heartbeat", ">= 500 ms, or 0 (none expected)");
}

}  // namespace

bool Region::contains(double latitude, double longitude) const noexcept {
  const auto turn = [](double degrees) { return degrees - 360 * std::floor(degrees / 360); };
  return latitude >= south && latitude <= north && turn(longitude - west) <= turn(east - west);
}

bool shares_edges(const model::ModelConfig& model) {
  return std::ranges::all_of(
      std::array{model.encoder.shard_strategy, model.processor.shard_strategy,
                 model.decoder.shard_strategy},
      [](model::ShardStrategy strategy) { return strategy == model::ShardStrategy::kEdges; });
}

int longest_rollout(const TrainingConfig& training) {
  return std::max(training.rollout, training.rollout_max);
}

int rollout_at(const TrainingConfig& training, std::int64_t epoch) {
  const auto grown = training.rollout + epoch / training.rollout_every;
  return static_cast<int>(std::min<std::int64_t>(grown, longest_rollout(training)));
}

void validate(const RunConfig& config) {
  Faults faults;
  check_data(faults, config.data);
  check_graph(faults, config.graph);
  check_model(faults, config.model, config.dtype);
  faults.require(config.autocast == model::Precision::kModel || config.dtype == DType::kFloat32,
                 "model.autocast", "none, where model.dtype is not float32");
  faults.require(config.memory_budget == Bytes{} || shares_edges(config.model),
                 "model.memory_budget", "0, where a part has shard_strategy heads");
  check_training(faults, config.training);
  const int num_inputs = config.data.num_input_steps;
  faults.require(config.model.skip_step >= -num_inputs && config.model.skip_step < num_inputs,
                 "model.skip_step", "an input step: from 0, or from -1 backwards");
  check_ensemble(faults, config);
  check_run(faults, config.run);
  faults.throw_if_any();
}

}  // namespace askos::actors
