// SPDX-License-Identifier: Apache-2.0
// Counts in numbers per batch entry. What backward needs of a layer: the inputs of linear layers,
// norms and activations, the query, key, value and weights of attention. While it is in a block the
// gradients of the hidden layer and of the block's output come on top.
#include <askos/base/error.hpp>
#include <askos/model/memory_plan.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace askos::model {
namespace {

/// Widths of one block, in numbers.
struct Widths {
  double channels = 0;
  double attention = 0;
  double heads = 0;
  double features = 0;     // of an edge
  double mlp_kept = 0;     // per node, for backward
  double mlp_working = 0;  // per node, gradients
  double norms = 0;        // queries or keys kept before their norm
  bool edge_pre_mlp = false;
};

/// Rows of one problem.
struct Rows {
  double sources = 0;
  double destinations = 0;
  double edges = 0;
};

Widths widths_of(const BlockConfig& block, const ModelConfig& config, std::int64_t attributes) {
  Widths widths;
  widths.channels = channels_of(block, config);
  widths.attention = block.attention_channels > 0 ? block.attention_channels : widths.channels;
  widths.heads = block.num_heads;
  widths.features = static_cast<double>(attributes + block.edge_trainables);
  widths.norms = block.qk_norm ? widths.attention : 0;
  widths.edge_pre_mlp = block.edge_pre_mlp;
  const double hidden = std::round(block.mlp_hidden_ratio * widths.channels);
  const bool gated = block.mlp != MlpKind::kGelu;
  const bool saves_input = block.mlp == MlpKind::kSwiglu || block.mlp == MlpKind::kGeglu;
  widths.mlp_kept = hidden * (gated ? (saves_input ? 4 : 3) : 2);
  widths.mlp_working = hidden * (gated ? 2 : 1);
  return widths;
}

/// Query to output of a block, per destination, and the weights of its edges.
double kept_by_attention(const Widths& w, const Rows& rows) {
  const double per_destination = w.attention + w.norms + 2 * w.heads * w.features + w.attention +
                                 3 * w.channels + w.mlp_kept;  // norm, z, its norm
  const double per_edge = w.heads + (w.edge_pre_mlp ? 2 * w.features : 0);
  return rows.destinations * per_destination + rows.edges * per_edge;
}

double kept_by_mapper(const Widths& w, const Rows& rows, bool embeds, double outputs) {
  const double per_source = (embeds ? w.channels : 0) + w.channels + 2 * w.attention + w.norms;
  const double per_destination = 2 * w.channels + (outputs > 0 ? w.channels + outputs : 0);
  return kept_by_attention(w, rows) + rows.sources * per_source +
         rows.destinations * per_destination;
}

double kept_by_layer(const Widths& w, const Rows& rows) {
  const double halo = rows.sources - rows.destinations;
  return kept_by_attention(w, rows) + rows.sources * (2 * w.attention + w.norms) +
         (rows.destinations + halo) * w.channels;
}

double working_in_block(const Widths& w, double destinations) {
  return destinations * (w.channels + w.mlp_working);
}

/// The largest piece when the destinations of `plan` are cut into `parts`.
Rows largest_chunk(const EdgePlan& plan, int parts) {
  const EdgeIndex& index = plan.index;
  const auto* offsets = index.destination_offsets.const_data_ptr<std::int64_t>();
  const auto* src = index.src.const_data_ptr<std::int64_t>();
  Rows largest;
  for (int part = 0; part < parts; ++part) {
    const auto range = comm::balanced_range(index.num_destinations, parts, part);
    std::vector<bool> reads(static_cast<std::size_t>(index.num_sources));
    for (auto e = offsets[range.begin]; e < offsets[range.end]; ++e) {
      reads[static_cast<std::size_t>(src[e])] = true;
    }
    const auto sources = static_cast<double>(std::count(reads.begin(), reads.end(), true));
    largest.sources = std::max(largest.sources, sources);
    largest.destinations = std::max(largest.destinations, static_cast<double>(range.size()));
    largest.edges =
        std::max(largest.edges, static_cast<double>(offsets[range.end] - offsets[range.begin]));
  }
  return largest;
}

Rows rows_of(const EdgePlan& plan) {
  return {static_cast<double>(plan.index.num_sources),
          static_cast<double>(plan.destinations.size()),
          static_cast<double>(plan.index.num_edges())};
}

/// Kept and working numbers of one part.
struct Load {
  double kept = 0;
  double working = 0;
};

Load mapper_load(const Widths& w,
                 const EdgePlan& plan,
                 int chunks,
                 double source_features,
                 double destination_features,
                 double outputs,
                 bool embeds) {
  const Rows rows = rows_of(plan);
  const double out = outputs > 0 ? outputs : w.channels;
  if (chunks == 0) {
    return {kept_by_mapper(w, rows, embeds, outputs), working_in_block(w, rows.destinations)};
  }
  const Rows piece = largest_chunk(plan, chunks);
  const double gradients = rows.sources * source_features +
                           rows.destinations * destination_features + rows.edges * w.features;
  const double of_piece = kept_by_mapper(w, piece, embeds, outputs) +
                          2 * piece.sources * source_features +
                          working_in_block(w, piece.destinations);
  return {rows.destinations * out, gradients + of_piece};
}

Load processor_load(const Widths& w, const EdgePlan& plan, int segments, int layers) {
  const Rows rows = rows_of(plan);
  const double layer = kept_by_layer(w, rows);
  const double nodes = rows.destinations * w.channels;
  if (segments == 0) return {layers * layer, working_in_block(w, rows.destinations)};
  const double halos = layers * (rows.sources - rows.destinations) * w.channels;
  return {segments * nodes + halos, std::ceil(static_cast<double>(layers) / segments) * layer +
                                        2 * nodes + 2 * rows.edges * w.features +
                                        working_in_block(w, rows.destinations)};
}

}  // namespace

MemoryPlan plan_memory(const ModelConfig& config,
                       const GraphPlan& plan,
                       const MemoryPlanOptions& options) {
  const auto data = static_cast<double>(plan.decoder.destinations.size());
  const auto hidden = static_cast<double>(plan.processor.destinations.size());
  const auto attributes = [](const EdgePlan& edges) { return edges.attributes.size(1); };
  const Widths encoder = widths_of(config.encoder, config, attributes(plan.encoder));
  const Widths processor = widths_of(config.processor, config, attributes(plan.processor));
  const Widths decoder = widths_of(config.decoder, config, attributes(plan.decoder));
  const double inputs =
      static_cast<double>(config.variables.input.size()) * config.num_input_steps + 4 +
      config.data_node_trainables;
  const double outputs =
      static_cast<double>(config.variables.output.size()) * config.num_output_steps;
  const double hidden_inputs = 4 + config.hidden_node_trainables;

  const Load enc =
      mapper_load(encoder, plan.encoder, config.encoder.num_chunks, inputs, hidden_inputs, 0, true);
  const Load proc =
      processor_load(processor, plan.processor, config.processor.num_chunks, config.num_layers);
  const Load dec = mapper_load(decoder, plan.decoder, config.decoder.num_chunks, processor.channels,
                               inputs, outputs, false);
  // Encoded input, latent and its skip, the output in a few forms; edge features of all parts.
  const double batch_fields =
      data * inputs + hidden * (hidden_inputs + 2 * processor.channels) + 5 * data * outputs;
  const double features = rows_of(plan.encoder).edges * encoder.features +
                          rows_of(plan.processor).edges * processor.features +
                          rows_of(plan.decoder).edges * decoder.features;

  const auto bytes = [&](double numbers) {
    return static_cast<std::int64_t>(numbers * static_cast<double>(options.number_bytes));
  };
  const auto batch = static_cast<double>(options.batch);
  const auto parameters = static_cast<double>(options.num_parameters) * (options.training ? 4 : 1);
  MemoryPlan result;
  result.mapper_chunks = config.encoder.num_chunks;
  result.processor_segments = config.processor.num_chunks;
  result.parts = {{"parameters", bytes(parameters), 0},
                  {"fields", bytes(batch * batch_fields + features), 0},
                  {"encoder", bytes(batch * enc.kept), bytes(batch * enc.working)},
                  {"processor", bytes(batch * proc.kept), bytes(batch * proc.working)},
                  {"decoder", bytes(batch * dec.kept), bytes(batch * dec.working)}};
  // Backward goes from the decoder to the encoder; what it has passed is free.
  std::int64_t kept = 0;
  for (const auto& part : result.parts) {
    kept += part.kept_bytes;
    result.peak_bytes = std::max(result.peak_bytes, kept + part.working_bytes);
  }
  return result;
}

MemoryPlan choose_chunks(const ModelConfig& config,
                         const GraphPlan& plan,
                         const MemoryPlanOptions& options,
                         std::int64_t budget_bytes) {
  std::vector<int> segments = {0};
  for (int s = 1; s <= config.num_layers; ++s) {
    if (config.num_layers % s == 0) segments.push_back(s);
  }
  std::int64_t least = 0;
  for (const int chunks : {0, 1, 2, 4, 8, 16, 32, 64, 128}) {
    for (const int s : segments) {
      ModelConfig candidate = config;
      candidate.encoder.num_chunks = candidate.decoder.num_chunks = chunks;
      candidate.processor.num_chunks = s;
      const MemoryPlan found = plan_memory(candidate, plan, options);
      if (found.peak_bytes <= budget_bytes) return found;
      least = least == 0 ? found.peak_bytes : std::min(least, found.peak_bytes);
    }
  }
  throw Error(Errc::kEnvironment, "no number of chunks fits into the memory")
      .with("budget_bytes", budget_bytes)
      .with("least_peak_bytes", least);
}

}  // namespace askos::model
