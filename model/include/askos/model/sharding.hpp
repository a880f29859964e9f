// SPDX-License-Identifier: Apache-2.0
// Differentiable collectives. Every operation states what its backward does; each is the identity
// on a group of one rank. Collectives run on the calling thread's communicator in call order, in
// backward in the reverse order, so all ranks must build the same graph. Communicator and plan must
// outlive the backward pass. Sums add in rank order, in float32 or the tensor's type if wider.
#pragma once

#include <askos/comm/partition.hpp>
#include <askos/model/graph_plan.hpp>

#include <ATen/core/Tensor.h>

#include <memory>

namespace askos::model {

/// Keeps this rank's part of a replicated tensor. Backward: gathers the parts of all ranks; with
/// `gather_in_backward = false` this rank's part among zeros.
[[nodiscard]] at::Tensor shard(const at::Tensor& x,
                               std::int64_t dim,
                               const comm::ShardSizes& sizes,
                               comm::Communicator& ranks,
                               bool gather_in_backward = true);

/// Joins the parts of all ranks. Backward: this rank's part of the gradient, without a sum: right
/// where every rank goes on to compute the same from the whole.
[[nodiscard]] at::Tensor gather(const at::Tensor& x,
                                std::int64_t dim,
                                const comm::ShardSizes& sizes,
                                comm::Communicator& ranks);

/// Sums over ranks. Backward: identity, as for a loss that every rank then holds.
[[nodiscard]] at::Tensor reduce(const at::Tensor& x, comm::Communicator& ranks);

/// Joins the parts of all ranks. Backward: sums the gradients of all ranks, keeps this rank's part:
/// right where each rank goes on to compute something else from the whole.
[[nodiscard]] at::Tensor sync(const at::Tensor& x,
                              std::int64_t dim,
                              const comm::ShardSizes& sizes,
                              comm::Communicator& ranks);

/// Sums over ranks and keeps this rank's part. Backward: gathers the parts of all ranks.
[[nodiscard]] at::Tensor reduce_shard(const at::Tensor& x,
                                      std::int64_t dim,
                                      const comm::ShardSizes& sizes,
                                      comm::Communicator& ranks);

/// Takes a tensor that is whole along `split_dim` and sharded along `concat_dim`, and gives one
/// that is sharded along `split_dim` and whole along `concat_dim`. Backward: the same, the other
/// way. With `kept`, for recomputation: what is received is kept there, and where something is
/// there already it is taken again without communication; backward communicates as usual.
[[nodiscard]] at::Tensor all_to_all(const at::Tensor& x,
                                    std::int64_t split_dim,
                                    const comm::ShardSizes& split_sizes,
                                    std::int64_t concat_dim,
                                    const comm::ShardSizes& concat_sizes,
                                    comm::Communicator& ranks,
                                    at::Tensor* kept = nullptr);

/// A halo exchange under way: starts at once, so that work on own rows can go on meanwhile.
class HaloExchange {
 public:
  /// Sends the rows of `x` [batch, own row, channel] that other ranks read. Records no gradient.
  HaloExchange(const at::Tensor& x, const HaloPlan& plan, comm::Communicator& ranks);
  ~HaloExchange();
  HaloExchange(const HaloExchange&) = delete;
  HaloExchange& operator=(const HaloExchange&) = delete;

  /// Waits and returns the halo rows [batch, halo row, channel] as a function of `x`, the tensor
  /// given to the constructor. Backward: sends the gradients back and adds them to the owners'
  /// rows.
  [[nodiscard]] at::Tensor finish(const at::Tensor& x);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The value that an exchange gave before, as a function of `x` again, without communication; the
/// backward communicates as usual. For recomputation.
[[nodiscard]] at::Tensor replay_halo(const at::Tensor& x,
                                     const at::Tensor& received,
                                     const HaloPlan& plan,
                                     comm::Communicator& ranks);

/// Returns the plan's whole table of rows [batch, kept + halo, channel] from the own rows.
[[nodiscard]] at::Tensor halo_exchange(const at::Tensor& x,
                                       const HaloPlan& plan,
                                       comm::Communicator& ranks);

}  // namespace askos::model
