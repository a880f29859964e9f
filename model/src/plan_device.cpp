// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/model/graph_plan.hpp>

#include <ATen/ATen.h>

#include <limits>

namespace askos::model {
namespace {

void move(at::Tensor& tensor, at::Device device) {
  if (tensor.defined()) tensor = tensor.to(device);
}

void move(EdgeIndex& index, at::Device device) {
  if (index.num_edges() > std::numeric_limits<std::int32_t>::max()) {
    throw Error(Errc::kInvalidInput, "more edges than a device's kernels can number")
        .with("expected", "fewer than 2^31")
        .with("found", index.num_edges())
        .with("use", "more ranks");
  }
  const auto narrow = [&](const at::Tensor& ids) { return ids.to(device, at::kInt); };
  index.on_device = {.src = narrow(index.src),
                     .destination_offsets = narrow(index.destination_offsets),
                     .source_offsets = narrow(index.source_offsets),
                     .source_edges = narrow(index.source_edges),
                     .source_destinations = narrow(index.dst.index_select(0, index.source_edges))};
  for (at::Tensor* tensor : {&index.src, &index.dst, &index.destination_offsets,
                             &index.source_offsets, &index.source_edges, &index.interior_first}) {
    move(*tensor, device);
  }
}

void move(EdgePlan& plan, at::Device device) {
  move(plan.halo.kept, device);
  move(plan.halo.sent, device);
  move(plan.index, device);
  move(plan.attributes, device);
  for (EdgeChunk& chunk : plan.chunks) {
    move(chunk.rows, device);
    move(chunk.positions, device);
    move(chunk.index, device);
  }
}

}  // namespace

GraphPlan to_device(GraphPlan plan, at::Device device) {
  if (device.is_cpu()) return plan;
  for (EdgePlan* edges : {&plan.encoder, &plan.processor, &plan.decoder}) move(*edges, device);
  for (DataPlan& data : plan.more) {
    move(data.encoder, device);
    move(data.decoder, device);
  }
  return plan;
}

}  // namespace askos::model
