// SPDX-License-Identifier: Apache-2.0
#include "root_gather.hpp"

#include <askos/actors/gather.hpp>

#include <ATen/ATen.h>

namespace askos::actors {

Gather::Gather(const RankContext& rank, Layout layout)
    : shard{*this, "shard", {.dtype = rank.run->config.dtype}},
      gathered{*this, "gathered", {.dtype = rank.run->config.dtype}},
      rank_(rank),
      layout_(layout) {}

dataflow::Threading Gather::threading() const {
  return layout_ == Layout::kSharded ? dataflow::Threading::kShared
                                     : dataflow::Threading::kDedicated;
}

std::string Gather::communicator() const {
  return layout_ == Layout::kSharded ? "" : "gather";
}

void Gather::run(dataflow::Context& context) {
  auto packet = context.take(shard);
  auto meta = packet.meta;
  if (layout_ == Layout::kSharded) {
    context.emit(gathered, packet.payload, meta);
    return;
  }
  const auto num_cells = rank_.run->index->info().num_cells();
  const auto by_cell = packet->forecast.permute({2, 0, 1, 3});  // [cell, sample, time, var]
  const auto whole = gather_rows_to_root(by_cell, num_cells, *rank_.gather);
  meta.cells = {0, whole.size(0)};
  context.emit(gathered,
               Prediction{.forecast = whole.permute({1, 2, 0, 3}).contiguous(),
                          .truth = {},
                          .persistence = {},
                          .weights = packet->weights,
                          .times = packet->times,
                          .cells = meta.cells},
               meta);
}

}  // namespace askos::actors
