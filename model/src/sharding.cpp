// SPDX-License-Identifier: Apache-2.0
#include "collectives.hpp"
#include "device_stream.hpp"
#include "linear_map.hpp"

#include <askos/model/sharding.hpp>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace askos::model {
namespace {

at::Tensor own_part(const at::Tensor& x,
                    std::int64_t dim,
                    const comm::ShardSizes& sizes,
                    const comm::Communicator& ranks) {
  const comm::Range range = comm::shard_range(sizes, ranks.rank());
  return x.narrow(dim, range.begin, range.size()).contiguous();
}

at::Tensor among_zeros(const at::Tensor& part,
                       std::int64_t dim,
                       const comm::ShardSizes& sizes,
                       const comm::Communicator& ranks) {
  auto shape = part.sizes().vec();
  shape[static_cast<std::size_t>(dim)] = 0;
  for (const auto size : sizes) shape[static_cast<std::size_t>(dim)] += size;
  at::Tensor whole = at::zeros(shape, part.options());
  const comm::Range range = comm::shard_range(sizes, ranks.rank());
  whole.narrow(dim, range.begin, range.size()).copy_(part);
  return whole;
}

comm::ShardSizes times(const std::vector<std::int64_t>& rows, std::int64_t row_size) {
  comm::ShardSizes counts = rows;
  for (auto& count : counts) count *= row_size;
  return counts;
}

/// Sends gradients of halo rows back to their owners and adds them up there, in rank order.
at::Tensor return_halo(const at::Tensor& gradient,  // [batch, halo row, channel]
                       const HaloPlan& plan,
                       comm::Communicator& ranks) {
  const std::int64_t row_size = gradient.size(0) * gradient.size(2);
  const at::Tensor send = gradient.transpose(0, 1).contiguous();
  const at::Tensor receive =
      at::empty({plan.sent.size(0), gradient.size(0), gradient.size(2)}, gradient.options());
  const auto work = start(ranks, send, [&](comm::Communicator& all) {
    return all.all_to_all(to_buffer(send), times(plan.receive_counts, row_size), to_buffer(receive),
                          times(plan.send_counts, row_size));
  });
  finish(*work, receive);
  at::Tensor own =
      at::zeros({plan.num_own, gradient.size(0), gradient.size(2)}, gradient.options());
  return own.index_add_(0, plan.sent, receive).transpose(0, 1).contiguous();
}

}  // namespace

at::Tensor shard(const at::Tensor& x,
                 std::int64_t dim,
                 const comm::ShardSizes& sizes,
                 comm::Communicator& ranks,
                 bool gather_in_backward) {
  if (ranks.size() == 1) return x;
  return linear_map(
      x, [&](const at::Tensor& whole) { return own_part(whole, dim, sizes, ranks); },
      [=, &ranks](const at::Tensor& part) {
        return gather_in_backward ? all_gather(part, dim, sizes, ranks)
                                  : among_zeros(part, dim, sizes, ranks);
      });
}

at::Tensor gather(const at::Tensor& x,
                  std::int64_t dim,
                  const comm::ShardSizes& sizes,
                  comm::Communicator& ranks) {
  if (ranks.size() == 1) return x;
  return linear_map(
      x, [&](const at::Tensor& part) { return all_gather(part, dim, sizes, ranks); },
      [=, &ranks](const at::Tensor& whole) { return own_part(whole, dim, sizes, ranks); });
}

at::Tensor reduce(const at::Tensor& x, comm::Communicator& ranks) {
  if (ranks.size() == 1) return x;
  return linear_map(
      x, [&](const at::Tensor& part) { return all_sum(part, ranks); },
      [](const at::Tensor& gradient) { return gradient; });
}

at::Tensor sync(const at::Tensor& x,
                std::int64_t dim,
                const comm::ShardSizes& sizes,
                comm::Communicator& ranks) {
  if (ranks.size() == 1) return x;
  return linear_map(
      x, [&](const at::Tensor& part) { return all_gather(part, dim, sizes, ranks); },
      [=, &ranks](const at::Tensor& whole) { return sum_scatter(whole, dim, sizes, ranks); });
}

at::Tensor reduce_shard(const at::Tensor& x,
                        std::int64_t dim,
                        const comm::ShardSizes& sizes,
                        comm::Communicator& ranks) {
  if (ranks.size() == 1) return x;
  return linear_map(
      x, [&](const at::Tensor& whole) { return sum_scatter(whole, dim, sizes, ranks); },
      [=, &ranks](const at::Tensor& part) { return all_gather(part, dim, sizes, ranks); });
}

at::Tensor all_to_all(const at::Tensor& x,
                      std::int64_t split_dim,
                      const comm::ShardSizes& split_sizes,
                      std::int64_t concat_dim,
                      const comm::ShardSizes& concat_sizes,
                      comm::Communicator& ranks,
                      at::Tensor* kept) {
  if (ranks.size() == 1) return x;
  return linear_map(
      x,
      [&](const at::Tensor& there) {
        if (kept && kept->defined()) return kept->detach();
        const at::Tensor received =
            transpose_shards(there, split_dim, split_sizes, concat_dim, concat_sizes, ranks);
        if (kept) *kept = received.detach();
        return received;
      },
      [=, &ranks](const at::Tensor& back) {
        return transpose_shards(back, concat_dim, concat_sizes, split_dim, split_sizes, ranks);
      });
}

struct HaloExchange::State {
  const HaloPlan& plan;
  comm::Communicator& ranks;
  at::Tensor send;     // [sent row, batch, channel]
  at::Tensor receive;  // [halo row, batch, channel]
  comm::WorkPtr work;  // after the buffers: destroyed first, and its end is awaited then
};

HaloExchange::HaloExchange(const at::Tensor& x, const HaloPlan& plan, comm::Communicator& ranks) {
  const c10::AutoGradMode no_grad(false);
  const std::int64_t row_size = x.size(0) * x.size(2);
  state_ = std::make_unique<State>(
      State{.plan = plan,
            .ranks = ranks,
            .send = x.index_select(1, plan.sent).transpose(0, 1).contiguous(),
            .receive = at::empty({plan.num_halo, x.size(0), x.size(2)}, x.options()),
            .work = nullptr});
  state_->work = start(ranks, x, [&](comm::Communicator& all) {
    return all.all_to_all(to_buffer(state_->send), times(plan.send_counts, row_size),
                          to_buffer(state_->receive), times(plan.receive_counts, row_size));
  });
}

HaloExchange::~HaloExchange() = default;

at::Tensor HaloExchange::finish(const at::Tensor& x) {
  model::finish(*state_->work, x);
  return replay_halo(x, state_->receive.transpose(0, 1), state_->plan, state_->ranks);
}

at::Tensor replay_halo(const at::Tensor& x,
                       const at::Tensor& received,
                       const HaloPlan& plan,
                       comm::Communicator& ranks) {
  return linear_map(
      x, [&](const at::Tensor&) { return received.detach(); },
      [&plan, &ranks](const at::Tensor& gradient) { return return_halo(gradient, plan, ranks); });
}

at::Tensor halo_exchange(const at::Tensor& x, const HaloPlan& plan, comm::Communicator& ranks) {
  if (ranks.size() == 1) return x;
  HaloExchange exchange(x, plan, ranks);
  const at::Tensor kept = plan.kept.defined() ? x.index_select(1, plan.kept) : x;
  return at::cat({kept, exchange.finish(x)}, 1);
}

}  // namespace askos::model
