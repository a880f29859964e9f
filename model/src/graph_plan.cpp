// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/model/graph_plan.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

namespace askos::model {
namespace {

using Ids = std::vector<std::int64_t>;

at::Tensor to_tensor(const Ids& ids) {
  return at::tensor(ids, at::kLong);
}

comm::Buffer buffer(Ids& ids) {
  return {ids.data(), static_cast<std::int64_t>(ids.size()), DType::kInt64};
}

/// Counts how often each of [0, n) occurs and returns the running sums, n + 1 of them.
Ids offsets_of(const Ids& ids, std::int64_t n) {
  Ids offsets(static_cast<std::size_t>(n) + 1, 0);
  for (const auto id : ids) ++offsets[static_cast<std::size_t>(id) + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  return offsets;
}

Ids sorted_unique(Ids ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

/// Returns the part of the rising `ids` that lies in `range`.
Ids within(const Ids& ids, comm::Range range) {
  return {std::lower_bound(ids.begin(), ids.end(), range.begin),
          std::lower_bound(ids.begin(), ids.end(), range.end)};
}

/// Returns where each of `ids` stands in the rising `table`.
Ids positions(const Ids& ids, const Ids& table) {
  Ids found(ids.size());
  std::transform(ids.begin(), ids.end(), found.begin(), [&](std::int64_t id) {
    return std::lower_bound(table.begin(), table.end(), id) - table.begin();
  });
  return found;
}

Ids iota(comm::Range range) {
  Ids ids(static_cast<std::size_t>(range.size()));
  std::iota(ids.begin(), ids.end(), range.begin);
  return ids;
}

/// Cuts the rank's own problem into ranges of destinations.
std::vector<EdgeChunk> make_chunks(const Ids& src,
                                   const Ids& dst,
                                   const EdgeIndex& index,
                                   int parts) {
  std::vector<EdgeChunk> chunks;
  if (parts == 0) return chunks;
  const Ids offsets = offsets_of(dst, index.num_destinations);
  for (int part = 0; part < parts; ++part) {
    EdgeChunk chunk;
    chunk.destinations = comm::balanced_range(index.num_destinations, parts, part);
    chunk.edges = {offsets[static_cast<std::size_t>(chunk.destinations.begin)],
                   offsets[static_cast<std::size_t>(chunk.destinations.end)]};
    const Ids chunk_src(src.begin() + chunk.edges.begin, src.begin() + chunk.edges.end);
    Ids chunk_dst(dst.begin() + chunk.edges.begin, dst.begin() + chunk.edges.end);
    for (auto& id : chunk_dst) id -= chunk.destinations.begin;
    const Ids rows = sorted_unique(chunk_src);
    chunk.rows = to_tensor(rows);
    chunk.index =
        make_edge_index(positions(chunk_src, rows), std::move(chunk_dst),
                        static_cast<std::int64_t>(rows.size()), chunk.destinations.size());
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

/// Cuts the whole problem into ranges of every rank's destinations, for ranks that share heads.
std::vector<EdgeChunk> make_common_chunks(const Edges& edges,
                                          const comm::ShardSizes& destination_sizes,
                                          int rank,
                                          int parts) {
  std::vector<EdgeChunk> chunks;
  const Ids offsets = offsets_of(edges.dst, edges.num_destinations);
  for (int part = 0; part < parts; ++part) {
    EdgeChunk chunk;
    Ids positions_in_all;
    Ids src;
    Ids dst;
    std::int64_t num_destinations = 0;
    for (int r = 0; r < static_cast<int>(destination_sizes.size()); ++r) {
      const comm::Range shard = comm::shard_range(destination_sizes, r);
      const comm::Range range = comm::balanced_range(shard.size(), parts, part);
      if (r == rank) chunk.destinations = range;
      chunk.destination_sizes.push_back(range.size());
      const std::int64_t first = shard.begin + range.begin;
      for (auto e = offsets[static_cast<std::size_t>(first)];
           e < offsets[static_cast<std::size_t>(first + range.size())]; ++e) {
        positions_in_all.push_back(e);
        src.push_back(edges.src[static_cast<std::size_t>(e)]);
        dst.push_back(edges.dst[static_cast<std::size_t>(e)] - first + num_destinations);
      }
      num_destinations += range.size();
    }
    const Ids rows = sorted_unique(src);
    chunk.rows = to_tensor(rows);
    chunk.positions = to_tensor(positions_in_all);
    chunk.index = make_edge_index(positions(src, rows), std::move(dst),
                                  static_cast<std::int64_t>(rows.size()), num_destinations);
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

at::Tensor attributes_of(const Edges& edges, comm::Range range) {
  const at::Tensor attributes = at::empty({range.size(), edges.num_attributes}, at::kDouble);
  std::copy_n(edges.attributes.begin() + range.begin * edges.num_attributes, attributes.numel(),
              attributes.data_ptr<double>());
  return attributes;
}

/// Every rank holds the whole problem, for its own heads.
EdgePlan make_head_plan(const Edges& unsorted,
                        const comm::ShardSizes& source_sizes,
                        const comm::ShardSizes& destination_sizes,
                        int num_chunks,
                        const comm::Communicator& ranks) {
  const Edges edges = sort_by_destination(unsorted);
  EdgePlan plan;
  plan.by_heads = true;
  plan.source_sizes = source_sizes;
  plan.destination_sizes = destination_sizes;
  plan.sources = comm::shard_range(source_sizes, ranks.rank());
  plan.destinations = comm::shard_range(destination_sizes, ranks.rank());
  plan.edges = {0, edges.size()};
  plan.halo.num_own = plan.halo.num_kept = plan.sources.size();
  plan.index = make_edge_index(edges.src, edges.dst, edges.num_sources, edges.num_destinations);
  plan.num_interior_edges = edges.size();
  plan.attributes = attributes_of(edges, plan.edges);
  plan.chunks = make_common_chunks(edges, destination_sizes, ranks.rank(), num_chunks);
  return plan;
}

/// Orders destinations: first those that read only the first `num_kept` sources.
void put_interior_first(EdgeIndex& index, const Ids& src, const Ids& dst, std::int64_t num_kept) {
  std::vector<bool> waits(static_cast<std::size_t>(index.num_destinations));
  for (std::size_t e = 0; e < src.size(); ++e) {
    if (src[e] >= num_kept) waits[static_cast<std::size_t>(dst[e])] = true;
  }
  Ids order(waits.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto border = std::stable_partition(order.begin(), order.end(), [&](std::int64_t i) {
    return !waits[static_cast<std::size_t>(i)];
  });
  index.num_interior = border - order.begin();
  index.interior_first = to_tensor(order);
}

/// `same_nodes`: sources and destinations are the same shard, so its rows are all in the table.
EdgePlan make_edge_plan(const Edges& unsorted,
                        const comm::ShardSizes& source_sizes,
                        const comm::ShardSizes& destination_sizes,
                        bool same_nodes,
                        int num_chunks,
                        ShardStrategy strategy,
                        comm::Communicator& ranks) {
  if (strategy == ShardStrategy::kHeads && ranks.size() > 1) {
    return make_head_plan(unsorted, source_sizes, destination_sizes, num_chunks, ranks);
  }
  const Edges edges = sort_by_destination(unsorted);
  EdgePlan plan;
  plan.source_sizes = source_sizes;
  plan.destination_sizes = destination_sizes;
  plan.sources = comm::shard_range(source_sizes, ranks.rank());
  plan.destinations = comm::shard_range(destination_sizes, ranks.rank());
  const auto first = std::lower_bound(edges.dst.begin(), edges.dst.end(), plan.destinations.begin);
  const auto last = std::lower_bound(first, edges.dst.end(), plan.destinations.end);
  plan.edges = {first - edges.dst.begin(), last - edges.dst.begin()};

  const Ids src(edges.src.begin() + plan.edges.begin, edges.src.begin() + plan.edges.end);
  Ids dst(first, last);
  for (auto& id : dst) id -= plan.destinations.begin;
  const bool keep_all = same_nodes || ranks.size() == 1;
  const Ids needed = sorted_unique(src);
  plan.halo = plan_halo(needed, source_sizes, keep_all, ranks);

  // The table: kept own rows first, then the halo, which is rising because ranks own rising ranges.
  Ids table = keep_all ? iota(plan.sources) : within(needed, plan.sources);
  const auto num_kept = static_cast<std::int64_t>(table.size());
  Ids halo;
  std::copy_if(needed.begin(), needed.end(), std::back_inserter(halo),
               [&](std::int64_t id) { return id < plan.sources.begin || id >= plan.sources.end; });
  Ids rows(src.size());
  for (std::size_t e = 0; e < src.size(); ++e) {
    const bool own = src[e] >= plan.sources.begin && src[e] < plan.sources.end;
    const Ids& part = own ? table : halo;
    plan.num_interior_edges += own;
    rows[e] =
        std::lower_bound(part.begin(), part.end(), src[e]) - part.begin() + (own ? 0 : num_kept);
  }
  plan.index = make_edge_index(rows, dst, plan.halo.num_rows(), plan.destinations.size());
  if (plan.halo.num_halo > 0) put_interior_first(plan.index, rows, dst, num_kept);
  plan.chunks = make_chunks(rows, dst, plan.index, num_chunks);

  plan.attributes = attributes_of(edges, plan.edges);
  return plan;
}

}  // namespace

EdgeIndex make_edge_index(Ids src,
                          Ids dst,
                          std::int64_t num_sources,
                          std::int64_t num_destinations) {
  ASKOS_CHECK(std::is_sorted(dst.begin(), dst.end()));
  Ids by_source(src.size());
  std::iota(by_source.begin(), by_source.end(), std::int64_t{0});
  std::sort(by_source.begin(), by_source.end(), [&](std::int64_t a, std::int64_t b) {
    return std::pair{src[static_cast<std::size_t>(a)], a} <
           std::pair{src[static_cast<std::size_t>(b)], b};
  });
  return {.num_sources = num_sources,
          .num_destinations = num_destinations,
          .src = to_tensor(src),
          .dst = to_tensor(dst),
          .destination_offsets = to_tensor(offsets_of(dst, num_destinations)),
          .source_offsets = to_tensor(offsets_of(src, num_sources)),
          .source_edges = to_tensor(by_source)};
}

HaloPlan plan_halo(const Ids& needed,
                   const comm::ShardSizes& sizes,
                   bool keep_all,
                   comm::Communicator& ranks) {
  const comm::Range own = comm::shard_range(sizes, ranks.rank());
  HaloPlan plan;
  plan.num_own = own.size();
  plan.num_kept = own.size();
  if (!keep_all) {
    Ids kept = within(needed, own);
    for (auto& id : kept) id -= own.begin;
    plan.num_kept = static_cast<std::int64_t>(kept.size());
    if (plan.num_kept != plan.num_own) plan.kept = to_tensor(kept);
  }
  const auto num_ranks = static_cast<std::size_t>(ranks.size());
  plan.send_counts.assign(num_ranks, 0);
  plan.receive_counts.assign(num_ranks, 0);
  Ids wanted;
  for (int owner = 0; owner < ranks.size(); ++owner) {
    if (owner == ranks.rank()) continue;
    const Ids ids = within(needed, comm::shard_range(sizes, owner));
    plan.receive_counts[static_cast<std::size_t>(owner)] = static_cast<std::int64_t>(ids.size());
    wanted.insert(wanted.end(), ids.begin(), ids.end());
  }
  plan.num_halo = static_cast<std::int64_t>(wanted.size());
  if (num_ranks == 1) return plan;

  const Ids ones(num_ranks, 1);
  ranks.all_to_all(buffer(plan.receive_counts), ones, buffer(plan.send_counts), ones)->wait();
  Ids sent(static_cast<std::size_t>(
      std::accumulate(plan.send_counts.begin(), plan.send_counts.end(), std::int64_t{0})));
  ranks.all_to_all(buffer(wanted), plan.receive_counts, buffer(sent), plan.send_counts)->wait();
  for (auto& id : sent) id -= own.begin;
  plan.sent = to_tensor(sent);
  return plan;
}

GraphPlan make_graph_plan(const Graph& graph,
                          comm::Communicator& ranks,
                          const GraphPlanOptions& options) {
  validate(graph);
  if (ranks.size() > graph.data.size()) {
    throw Error(Errc::kInvalidInput, "more ranks than data nodes to share")
        .with("ranks", ranks.size())
        .with("data_nodes", graph.data.size());
  }
  GraphPlan plan;
  plan.rank = ranks.rank();
  plan.data_sizes = comm::balanced_sizes(graph.data.size(), ranks.size());
  plan.hidden_sizes = comm::balanced_sizes(graph.hidden.size(), ranks.size());
  plan.encoder = make_edge_plan(graph.data_to_hidden, plan.data_sizes, plan.hidden_sizes, false,
                                options.encoder_chunks, options.encoder, ranks);
  plan.processor = make_edge_plan(graph.hidden_to_hidden, plan.hidden_sizes, plan.hidden_sizes,
                                  true, 0, options.processor, ranks);
  plan.decoder = make_edge_plan(graph.hidden_to_data, plan.hidden_sizes, plan.data_sizes, false,
                                options.decoder_chunks, options.decoder, ranks);
  for (const DataGrid& grid : graph.more_grids) {
    const auto sizes = comm::balanced_sizes(grid.nodes.size(), ranks.size());
    plan.more.push_back(
        {.sizes = sizes,
         .encoder = make_edge_plan(grid.to_hidden, sizes, plan.hidden_sizes, false,
                                   options.encoder_chunks, options.encoder, ranks),
         .decoder = make_edge_plan(grid.from_hidden, plan.hidden_sizes, sizes, false,
                                   options.decoder_chunks, options.decoder, ranks)});
  }
  return plan;
}

}  // namespace askos::model
