// SPDX-License-Identifier: Apache-2.0
#include "collectives.hpp"

#include "device_stream.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <numeric>

namespace askos::model {
namespace {

DType to_dtype(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return DType::kFloat32;
    case at::kDouble: return DType::kFloat64;
    case at::kHalf: return DType::kFloat16;
    case at::kBFloat16: return DType::kBFloat16;
    case at::kLong: return DType::kInt64;
    case at::kInt: return DType::kInt32;
    default:
      throw Error(Errc::kTypeMismatch, "no collective for this tensor type")
          .with("dtype", c10::toString(type));
  }
}

/// Entries per rank when an axis of `sizes` is outermost and the rest of `x` holds `rest` entries.
comm::ShardSizes entries(const comm::ShardSizes& sizes, std::int64_t rest) {
  comm::ShardSizes counts = sizes;
  for (auto& count : counts) count *= rest;
  return counts;
}

std::int64_t total(const comm::ShardSizes& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
}

/// Entries of `x` per position along its first axis.
std::int64_t row_size(const at::Tensor& x) {
  std::int64_t size = 1;
  for (std::int64_t d = 1; d < x.dim(); ++d) size *= x.size(d);
  return size;
}

/// Returns `x` with axis `dim` outermost, contiguous.
at::Tensor outermost(const at::Tensor& x, std::int64_t dim) {
  return x.movedim(dim, 0).contiguous();
}

at::Tensor like_with_rows(const at::Tensor& x, std::int64_t rows) {
  auto shape = x.sizes().vec();
  shape[0] = rows;
  return at::empty(shape, x.options());
}

void check_size(const at::Tensor& x, std::int64_t dim, std::int64_t expected) {
  if (x.size(dim) != expected) {
    throw Error(Errc::kShapeMismatch, "tensor does not have its shard's size")
        .with("dim", dim)
        .with("size", x.size(dim))
        .with("expected", expected);
  }
}

/// Runs a collective that writes `result`.
template <typename Enter>
void run(comm::Communicator& ranks, const at::Tensor& result, Enter enter) {
  finish(*start(ranks, result, enter), result);
}

}  // namespace

comm::Buffer to_buffer(const at::Tensor& contiguous) {
  ASKOS_CHECK(contiguous.is_contiguous());
  return {contiguous.data_ptr(), contiguous.numel(), to_dtype(contiguous.scalar_type())};
}

at::Tensor all_gather(const at::Tensor& x,
                      std::int64_t dim,
                      const comm::ShardSizes& sizes,
                      comm::Communicator& ranks) {
  check_size(x, dim, comm::shard_range(sizes, ranks.rank()).size());
  const at::Tensor part = outermost(x, dim);
  at::Tensor whole = like_with_rows(part, total(sizes));
  run(ranks, whole, [&](comm::Communicator& all) {
    return all.all_gather(to_buffer(part), to_buffer(whole), entries(sizes, row_size(part)));
  });
  return whole.movedim(0, dim).contiguous();
}

at::Tensor all_sum(const at::Tensor& x, comm::Communicator& ranks) {
  at::Tensor sum = x.clone(at::MemoryFormat::Contiguous);
  run(ranks, sum, [&](comm::Communicator& all) { return all.all_reduce(to_buffer(sum)); });
  return sum;
}

at::Tensor sum_scatter(const at::Tensor& x,
                       std::int64_t dim,
                       const comm::ShardSizes& sizes,
                       comm::Communicator& ranks) {
  check_size(x, dim, total(sizes));
  const at::Tensor whole = outermost(x, dim);
  at::Tensor part = like_with_rows(whole, comm::shard_range(sizes, ranks.rank()).size());
  run(ranks, part, [&](comm::Communicator& all) {
    return all.reduce_scatter(to_buffer(whole), to_buffer(part), entries(sizes, row_size(part)));
  });
  return part.movedim(0, dim).contiguous();
}

at::Tensor transpose_shards(const at::Tensor& x,
                            std::int64_t split_dim,
                            const comm::ShardSizes& split_sizes,
                            std::int64_t concat_dim,
                            const comm::ShardSizes& concat_sizes,
                            comm::Communicator& ranks) {
  check_size(x, split_dim, total(split_sizes));
  check_size(x, concat_dim, comm::shard_range(concat_sizes, ranks.rank()).size());
  // On the wire: blocks of (split part of the receiver, concat part of the sender, rest).
  const at::Tensor send = x.movedim({split_dim, concat_dim}, {0, 1}).contiguous();
  auto shape = send.sizes().vec();
  const std::int64_t own_split = comm::shard_range(split_sizes, ranks.rank()).size();
  std::int64_t rest = 1;
  for (std::size_t d = 2; d < shape.size(); ++d) rest *= shape[d];
  const auto send_counts = entries(split_sizes, shape[1] * rest);
  const auto receive_counts = entries(concat_sizes, own_split * rest);
  const at::Tensor receive = at::empty({total(receive_counts)}, x.options());
  run(ranks, receive, [&](comm::Communicator& all) {
    return all.all_to_all(to_buffer(send), send_counts, to_buffer(receive), receive_counts);
  });

  std::vector<at::Tensor> blocks;
  std::int64_t offset = 0;
  shape[0] = own_split;
  for (std::size_t r = 0; r < concat_sizes.size(); ++r) {
    shape[1] = concat_sizes[r];
    blocks.push_back(receive.narrow(0, offset, receive_counts[r]).view(shape));
    offset += receive_counts[r];
  }
  return at::cat(blocks, 1).movedim({0, 1}, {split_dim, concat_dim}).contiguous();
}

}  // namespace askos::model
