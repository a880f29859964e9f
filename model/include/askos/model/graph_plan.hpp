// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/partition.hpp>
#include <askos/model/config.hpp>
#include <askos/model/graph.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace askos::comm {
class Communicator;
}

namespace askos::model {

/// The edges of an `EdgeIndex` as a CUDA device's kernels read them: int32, on the device.
struct DeviceEdgeIndex {
  at::Tensor src;                  ///< [edge]
  at::Tensor destination_offsets;  ///< [destination + 1]
  at::Tensor source_offsets;       ///< [source + 1], into the next two
  at::Tensor source_edges;         ///< [edge]
  at::Tensor source_destinations;  ///< [edge]: where `source_edges` lead
};

/// One attention problem over rows that are all at hand: its edges, sorted by destination, and the
/// same edges listed by source for the backward pass. All tensors int64, on the CPU as made.
struct EdgeIndex {
  std::int64_t num_sources = 0;
  std::int64_t num_destinations = 0;
  at::Tensor src;  ///< [edge]
  at::Tensor dst;  ///< [edge], never falls
  at::Tensor
      destination_offsets;    ///< [destination + 1]: edges into i are [offsets[i], offsets[i+1])
  at::Tensor source_offsets;  ///< [source + 1], into source_edges
  at::Tensor source_edges;    ///< [edge]: edge numbers by source, stable
  /// [destination]: the first `num_interior` read only sources that are at hand before those of
  /// other ranks arrive; undefined: all are at hand
  at::Tensor interior_first = {};
  std::int64_t num_interior = 0;
  DeviceEdgeIndex on_device = {};  ///< undefined on the CPU

  [[nodiscard]] std::int64_t num_edges() const { return src.size(0); }
};

/// Makes the index of edges (src[e], dst[e]) whose destinations never fall.
[[nodiscard]] EdgeIndex make_edge_index(std::vector<std::int64_t> src,
                                        std::vector<std::int64_t> dst,
                                        std::int64_t num_sources,
                                        std::int64_t num_destinations);

/// Says how rows of a sharded node axis reach a rank that reads them. The rank's table of rows is
/// `kept` own rows, then `halo` rows of other ranks in rank order, each in rising global order.
struct HaloPlan {
  std::int64_t num_own = 0;
  std::int64_t num_kept = 0;
  std::int64_t num_halo = 0;
  at::Tensor kept;  ///< int64 [num_kept] own rows that start the table; undefined: all own rows
  at::Tensor sent;  ///< int64 own rows that others read, grouped by reader in rank order
  std::vector<std::int64_t> send_counts;     ///< rows per reading rank
  std::vector<std::int64_t> receive_counts;  ///< rows per owning rank

  [[nodiscard]] std::int64_t num_rows() const noexcept { return num_kept + num_halo; }
};

/// Plans the exchange of the rows `needed` (global numbers, rising, each once) of an axis cut into
/// `sizes`. What this rank must send is what the others ask for: ids are exchanged here, once.
/// With `keep_all`, the table starts with all own rows, needed or not. Collective; blocks.
[[nodiscard]] HaloPlan plan_halo(const std::vector<std::int64_t>& needed,
                                 const comm::ShardSizes& sizes,
                                 bool keep_all,
                                 comm::Communicator& ranks);

/// A range of a rank's destinations that is computed by itself, to bound memory.
struct EdgeChunk {
  comm::Range destinations;  ///< of the rank's own
  comm::Range edges;         ///< of the rank's own; by heads `positions` instead
  at::Tensor rows;           ///< int64: rows of the rank's table that it reads
  EdgeIndex index;           ///< numbers `rows` and `destinations`, by heads those of all ranks
  // Only where ranks share heads: all ranks work on the same chunk at once.
  at::Tensor positions = {};                ///< int64: its edges
  comm::ShardSizes destination_sizes = {};  ///< rows of each rank
};

/// What one rank does with one set of edges: it owns the edges into its own destinations, which are
/// contiguous once sorted by destination. Where ranks share heads (`by_heads`), it owns all edges,
/// its table is all sources and nothing is in the halo.
struct EdgePlan {
  bool by_heads = false;
  comm::ShardSizes source_sizes;
  comm::ShardSizes destination_sizes;
  comm::Range sources;                  ///< own, global numbers
  comm::Range destinations;             ///< own, global numbers
  comm::Range edges;                    ///< own, in the global order by destination
  HaloPlan halo;                        ///< brings the sources that own edges read
  EdgeIndex index;                      ///< own edges: table rows to own destinations
  std::int64_t num_interior_edges = 0;  ///< own edges whose source is own
  at::Tensor attributes;                ///< float64 [own edge, attribute]
  std::vector<EdgeChunk> chunks;        ///< empty unless asked for; else covers all destinations
};

/// What one rank does with a data grid beside the first one.
struct DataPlan {
  comm::ShardSizes sizes;
  EdgePlan encoder;
  EdgePlan decoder;
};

/// Everything static about a graph on one rank, computed once: nothing is sorted, searched or
/// exchanged in a step.
struct GraphPlan {
  int rank = 0;
  comm::ShardSizes data_sizes;
  comm::ShardSizes hidden_sizes;
  EdgePlan encoder;
  EdgePlan processor;
  EdgePlan decoder;
  std::vector<DataPlan> more;  ///< of `Graph::more_grids`
};

struct GraphPlanOptions {
  int encoder_chunks = 0;  ///< 0: none
  int decoder_chunks = 0;
  ShardStrategy encoder = ShardStrategy::kEdges;
  ShardStrategy processor = ShardStrategy::kEdges;
  ShardStrategy decoder = ShardStrategy::kEdges;
};

/// Plans `graph` for this rank of `ranks`. Nodes are cut into contiguous balanced shards, edges
/// follow their destination. Collective; blocks. Throws what `validate` throws, and
/// `Errc::kInvalidInput` if there are more ranks than data nodes.
[[nodiscard]] GraphPlan make_graph_plan(const Graph& graph,
                                        comm::Communicator& ranks,
                                        const GraphPlanOptions& options = {});

/// Moves all tensors of a plan to `device`, for good. Throws `Errc::kInvalidInput` if a device's
/// numbers are too small for it (2^31 edges).
[[nodiscard]] GraphPlan to_device(GraphPlan plan, at::Device device);

}  // namespace askos::model
