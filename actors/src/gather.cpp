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
  const auto at_root = [&](const at::Tensor& part, std::int64_t cell_axis) {
    return part.defined()
               ? gather_rows_to_root(part.movedim(cell_axis, 0), num_cells, *rank_.gather)
                     .movedim(0, cell_axis)
                     .contiguous()
               : part;
  };
  Prediction whole{.forecast = at_root(packet->forecast, 2),
                   .members = at_root(packet->members, 3),
                   .weights = packet->weights,
                   .times = packet->times,
                   .cells = {}};
  meta.cells = whole.cells = {0, whole.forecast.size(2)};
  context.emit(gathered, std::move(whole), meta);
}

}  // namespace askos::actors
