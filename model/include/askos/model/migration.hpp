// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/config.hpp>
#include <askos/model/graph.hpp>
#include <askos/model/parameters.hpp>

#include <string>
#include <vector>

namespace askos::model {

struct MigratedState {
  NamedTensors state;                ///< the network's, under today's names
  NamedTensors others;               ///< under their names: pre- and post-processors and the like
  std::vector<std::string> changes;  ///< what was done, one line per kind of change
};

/// Gives the state of a model of anemoi-models 0.5 to 0.19 the names and the order of 0.19:
///
/// - prefixes `model.` (interface) and `model.model.` (training checkpoint) are dropped;
/// - `processor.proc.0.blocks.1.` (chunks of layers) becomes `processor.proc.1.`;
/// - `node_dst_mlp.0.` becomes `node_dst_mlp.mlp.0.`;
/// - names without a dataset, `encoder.proc.`, or with it, `encoder.data.proc.`, get the encoder's
///   key, `encoder.0.proc.`; node attributes per dataset get one entry per grid;
/// - `encoder.trainable.trainable` goes to `encoder_graph_provider.`; edge lists are dropped;
/// - edge trainables without `trainable_layout_version` are in the graph's own order of edges: they
///   are sorted by destination, stably, and get the version.
///
/// A state of 0.19 comes back as it is. Throws `Errc::kInvalidInput` if an unsorted trainable
/// tensor has another number of rows than the graph has edges.
[[nodiscard]] MigratedState migrate(const NamedTensors& state,
                                    const ModelConfig& config,
                                    const Graph& graph);

}  // namespace askos::model
