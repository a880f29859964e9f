// SPDX-License-Identifier: Apache-2.0
#include "file_faults.hpp"

#include <askos/actors/reader.hpp>
#include <askos/base/error.hpp>

#include <algorithm>

namespace askos::actors {
namespace {

/// Two packets on each of the edges to and from the partitioner, one in compute, one being read.
constexpr int kNumSlots = 6;

Bytes slot_bytes(const RankContext& rank, int rows_per_sample, int batch_size) {
  const auto num_variables = rank.run->index->info().num_variables();
  return {std::int64_t{batch_size} * rows_per_sample * rank.read_cells.size() * num_variables *
          size_of(rank.run->config.dtype)};
}

}  // namespace

Reader::Reader(const RankContext& rank,
               WindowRequests requests,
               int rows_per_sample,
               int batch_size)
    : window{*this,
             "window",
             {.shape = {{"batch", Axis::kAny},
                        {"time", Axis::kAny},
                        {"grid", rank.read_cells.size()},
                        {"var", rank.run->index->info().num_variables()}},
              .dtype = rank.run->config.dtype,
              .host_bytes = slot_bytes(rank, rows_per_sample, batch_size)}},
      run_(rank.run),
      faulty_(file_operations_with_faults(rank, "read")),
      reader_(
          rank.run->index, rank.read_cells, {}, faulty_ ? *faulty_ : io::system_file_operations()),
      slots_({.name = "reader",
              .num_slots = kNumSlots,
              .slot_bytes = slot_bytes(rank, rows_per_sample, batch_size),
              .deadline = rank.run->config.run.deadline}),
      requests_(std::move(requests)),
      num_ahead_(1 + static_cast<std::size_t>(
                         (rank.run->config.run.prefetch_samples + batch_size - 1) / batch_size)) {}

void Reader::look_ahead() {
  while (ahead_.size() < num_ahead_) {
    auto request = requests_();
    if (!request) {
      return;
    }
    for (const auto& rows : request->rows) {
      for (const auto row : rows) {
        reader_.prefetch(row);
      }
    }
    ahead_.push_back(std::move(*request));
  }
}

void Reader::read_into(Window& target, const WindowRequest& request) {
  target.slot = slots_.acquire("window");
  const auto row_bytes = static_cast<std::size_t>(reader_.row_bytes(target.dtype));
  auto free = target.slot->bytes();
  for (const auto& rows : request.rows) {
    for (const auto row : rows) {
      reader_.read(row,
                   {.bytes = free.first(row_bytes),
                    .dtype = target.dtype,
                    .layout = io::RowLayout::kCellVariable},
                   run_->normaliser);
      free = free.subspan(row_bytes);
    }
  }
}

void Reader::run(dataflow::Context& context) {
  look_ahead();
  if (ahead_.empty()) {
    reader_.check_unchanged();
    context.end();
    return;
  }
  const auto request = std::move(ahead_.front());
  ahead_.pop_front();
  Window next{.slot = std::nullopt,
              .dtype = run_->config.dtype,
              .num_rows = static_cast<std::int64_t>(request.rows.front().size()),
              .num_inputs = request.num_inputs,
              .num_cells = reader_.cells().size(),
              .num_variables = run_->index->info().num_variables(),
              .weights = request.weights,
              .times = request.times,
              .samples = request.samples,
              .next = request.next};
  if (next.num_rows > 0) {
    read_into(next, request);
  }
  context.emit(window, std::make_shared<const Window>(std::move(next)),
               {.cells = reader_.cells(), .weight = *std::ranges::max_element(request.weights)});
}

}  // namespace askos::actors
