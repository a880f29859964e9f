// SPDX-License-Identifier: Apache-2.0
// One description of the configuration file serves reading, writing and the list of known keys.
#pragma once

#include <askos/actors/run_config.hpp>

namespace askos::apps {

/// Calls `visit(section, key, value)` for every entry of a configuration, in the order of the file.
template <typename Config, typename Visit>
void visit_fields(Config& config, Visit&& visit) {
  auto& data = config.data;
  visit("data", "file", data.file);
  visit("data", "input_steps", data.num_input_steps);
  visit("data", "output_steps", data.num_output_steps);
  visit("data", "train_rows", data.train_rows);
  visit("data", "test_rows", data.test_rows);
  visit("data", "test_forecasts", data.test_forecasts);
  visit("data", "boundary_cells", data.boundary_cells);
  visit("data", "normalizer", data.normalizer);
  visit("data", "normalizers", data.normalizers);

  auto& graph = config.graph;
  visit("graph", "kind", graph.kind);
  visit("graph", "hidden_nodes", graph.regional.num_hidden);
  visit("graph", "encoder_neighbours", graph.regional.encoder_neighbours);
  visit("graph", "processor_neighbours", graph.regional.processor_neighbours);
  visit("graph", "decoder_neighbours", graph.regional.decoder_neighbours);
  visit("graph", "level", graph.global.level);
  visit("graph", "cut_off_factor", graph.global.cut_off_factor);
  visit("graph", "region_level", graph.region_level);
  visit("graph", "region", graph.region);

  auto& model = config.model;
  visit("model", "dtype", config.dtype);
  visit("model", "autocast", config.autocast);
  visit("model", "memory_budget", config.memory_budget);
  visit("model", "channels", model.num_channels);
  visit("model", "heads", model.encoder.num_heads);
  visit("model", "layers", model.num_layers);
  visit("model", "mlp_hidden_ratio", model.encoder.mlp_hidden_ratio);
  visit("model", "attention_channels", model.encoder.attention_channels);
  visit("model", "mlp", model.encoder.mlp);
  visit("model", "qk_norm", model.encoder.qk_norm);
  visit("model", "edge_pre_mlp", model.encoder.edge_pre_mlp);
  visit("model", "latent_skip", model.latent_skip);
  visit("model", "zero_output_layer", model.zero_output_layer);
  visit("model", "residual", model.residual);
  visit("model", "skip_step", model.skip_step);
  visit("model", "node_trainables", model.data_node_trainables);
  visit("model", "edge_trainables", model.encoder.edge_trainables);
  visit("model", "members", config.members);
  visit("model", "noise", model.noise.kind);
  visit("model", "noise_deviation", model.noise.deviation);
  visit("model", "noise_channels", model.noise.channels);
  visit("model", "noise_mlp_channels", model.noise.mlp_channels);
  visit("model", "forecast_step", model.forecast_step);
  visit("model", "mapper_chunks", model.encoder.num_chunks);
  visit("model", "processor_chunks", model.processor.num_chunks);
  visit("model", "encoder_shard_strategy", model.encoder.shard_strategy);
  visit("model", "processor_shard_strategy", model.processor.shard_strategy);
  visit("model", "decoder_shard_strategy", model.decoder.shard_strategy);

  auto& training = config.training;
  visit("training", "steps", training.steps);
  visit("training", "batch_size", training.batch_size);
  visit("training", "seed", training.seed);
  visit("training", "learning_rate", training.learning_rate);
  visit("training", "final_learning_rate", training.final_learning_rate);
  visit("training", "warmup_steps", training.warmup_steps);
  visit("training", "weight_decay", training.weight_decay);
  visit("training", "beta1", training.beta1);
  visit("training", "beta2", training.beta2);
  visit("training", "clip_norm", training.clip_norm);
  visit("training", "clip_value", training.clip_value);
  visit("training", "accumulate", training.accumulate);
  visit("training", "rollout", training.rollout);
  visit("training", "rollout_max", training.rollout_max);
  visit("training", "rollout_every", training.rollout_every);
  visit("training", "average_decay", training.average_decay);
  visit("training", "variable_weights", training.variable_weights);
  visit("training", "parameter_weights", training.parameter_weights);
  visit("training", "loss", training.loss.error);
  visit("training", "huber_delta", training.loss.huber_delta);
  visit("training", "crps_alpha", training.loss.crps_alpha);
  visit("training", "on_nan", training.on_nan);

  auto& run = config.run;
  visit("run", "folder", run.folder);
  visit("run", "ranks", run.ranks);
  visit("run", "device", run.device);
  visit("run", "ranks_per_model", run.ranks_per_model);
  visit("run", "ranks_per_ensemble", run.ranks_per_ensemble);
  visit("run", "readers_per_model", run.num_readers_per_model);
  visit("run", "threads_per_rank", run.num_threads_per_rank);
  visit("run", "prefetch_samples", run.prefetch_samples);
  visit("run", "checkpoint_every", run.checkpoint_every);
  visit("run", "keep_checkpoints", run.keep_checkpoints);
  visit("run", "keep_best_checkpoint", run.keep_best_checkpoint);
  visit("run", "keep_checkpoints_every", run.keep_checkpoints_every);
  visit("run", "deadline", run.deadline);
  visit("run", "heartbeat", run.heartbeat);
}

}  // namespace askos::apps
