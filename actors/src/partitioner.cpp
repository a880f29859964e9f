// SPDX-License-Identifier: Apache-2.0
#include <askos/actors/partitioner.hpp>
#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

namespace askos::actors {
namespace {

at::ScalarType scalar_type(DType dtype) {
  return dtype == DType::kFloat64 ? at::kDouble : at::kFloat;
}

/// The part of `other` that lies in `range`; where there is none, an empty one at its beginning.
comm::Range part_in(const comm::Range& range, const comm::Range& other) {
  const auto begin = std::max(range.begin, other.begin);
  const auto end = std::min(range.end, other.end);
  return begin < end ? comm::Range{begin, end} : comm::Range{range.begin, range.begin};
}

/// [sample, row, cell, var], a view of the window's slot that keeps it held.
at::Tensor view_of(const std::shared_ptr<const Window>& window) {
  return at::from_blob(
      window->slot->bytes().data(),
      {static_cast<std::int64_t>(window->weights.size()), window->num_rows, window->num_cells,
       window->num_variables},
      [window](void*) {}, at::TensorOptions().dtype(scalar_type(window->dtype)));
}

/// The variables at `positions`: the tensor itself where that is all of them in order.
at::Tensor select_variables(const at::Tensor& rows, const std::vector<std::int64_t>& positions) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows.size(-1)));
  std::iota(all.begin(), all.end(), 0);
  return positions == all ? rows : rows.index_select(-1, at::tensor(positions, at::kLong));
}

}  // namespace

Partitioner::Partitioner(const RankContext& rank)
    : window{*this,
             "window",
             {.shape = {{"batch", Axis::kAny},
                        {"time", Axis::kAny},
                        {"grid", rank.read_cells.size()},
                        {"var", rank.run->index->info().num_variables()}},
              .dtype = rank.run->config.dtype}},
      sample{*this, "sample", {.dtype = rank.run->config.dtype}},
      rank_(rank) {}

bool Partitioner::redistributes() const {
  return rank_.mesh.readers().size() != rank_.mesh.model().size();
}

dataflow::Threading Partitioner::threading() const {
  return redistributes() ? dataflow::Threading::kDedicated : dataflow::Threading::kShared;
}

std::string Partitioner::communicator() const {
  return redistributes() ? "readers" : "";
}

at::Tensor Partitioner::own_cells(at::Tensor rows) const {
  if (!redistributes()) {
    return rows;
  }
  const auto& group = rank_.mesh.readers();
  const auto num_cells = rank_.run->index->info().num_cells();
  const auto entries_per_cell = rows.numel() / rows.size(2);
  const int ranks_per_model = rank_.mesh.model().size();

  std::vector<at::Tensor> parts;
  std::vector<std::int64_t> send_counts;
  std::vector<std::int64_t> receive_counts;
  std::vector<comm::Range> received;
  for (int member = 0; member < group.size(); ++member) {
    const int position = group.ranks[static_cast<std::size_t>(member)] % ranks_per_model;
    const auto wanted =
        part_in(rank_.read_cells, comm::balanced_range(num_cells, ranks_per_model, position));
    parts.push_back(
        rows.narrow(2, wanted.begin - rank_.read_cells.begin, wanted.size()).reshape({-1}));
    send_counts.push_back(wanted.size() * entries_per_cell);
    received.push_back(
        part_in(rank_.own_cells, comm::balanced_range(num_cells, group.size(), member)));
    receive_counts.push_back(received.back().size() * entries_per_cell);
  }
  const auto sent = at::cat(parts);
  const auto flat = at::empty({rank_.own_cells.size() * entries_per_cell}, rows.options());
  const auto dtype = rank_.run->config.dtype;
  rank_.readers
      ->all_to_all({sent.const_data_ptr(), sent.numel(), dtype}, send_counts,
                   {flat.mutable_data_ptr(), flat.numel(), dtype}, receive_counts)
      ->wait();

  auto own =
      at::empty({rows.size(0), rows.size(1), rank_.own_cells.size(), rows.size(3)}, rows.options());
  std::int64_t begin = 0;
  for (std::size_t member = 0; member < received.size(); ++member) {
    const auto& cells = received[member];
    own.narrow(2, cells.begin - rank_.own_cells.begin, cells.size())
        .copy_(flat.narrow(0, begin, receive_counts[member])
                   .view({rows.size(0), rows.size(1), cells.size(), rows.size(3)}));
    begin += receive_counts[member];
  }
  return own;
}

void Partitioner::run(dataflow::Context& context) {
  const auto packet = context.take(window);
  Sample next;
  next.batch.weights = packet->weights;
  next.batch.samples = packet->samples;
  next.times = packet->times;
  next.next = packet->next;
  if (packet->num_rows > 0) {
    const auto rows = own_cells(view_of(packet.payload));
    const auto num_inputs = packet->num_inputs;
    next.batch.input = select_variables(rows.narrow(1, 0, num_inputs), rank_.run->input_variables);
    if (rows.size(1) > num_inputs) {
      const auto targets = rows.narrow(1, num_inputs, rows.size(1) - num_inputs);
      next.batch.target = select_variables(targets, rank_.run->output_variables);
      next.batch.later = select_variables(targets, rank_.run->input_variables);
    }
  }
  auto meta = packet.meta;
  meta.cells = rank_.own_cells;
  context.emit(sample, std::move(next), meta);
}

}  // namespace askos::actors
