// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/communicator.hpp>
#include <askos/model/parameters.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace askos::apps {

/// Runs `body` once per rank, each on a thread of its own with one compute thread, and throws the
/// failure that came first again. A rank that fails aborts the others.
void run_ranks(int num_ranks, const std::function<void(comm::Communicator&)>& body);

/// Where the ranks of a case run.
struct RankPlace {
  int num_ranks = 1;
  /// Of the processes that are one rank each; null: the ranks are threads of this one.
  comm::Communicator* processes = nullptr;
};

/// Runs `body` once per rank and returns the tensors (in memory of the host) that each found, by
/// rank; on all processes the same.
[[nodiscard]] std::vector<model::NamedTensors> collect_from_ranks(
    const RankPlace& place, const std::function<model::NamedTensors(comm::Communicator&)>& body);

/// Joins the shards `name` that the ranks found, along the axis of the grid.
[[nodiscard]] at::Tensor joined(const std::vector<model::NamedTensors>& of_ranks,
                                const std::string& name,
                                std::int64_t grid_axis = 2);

}  // namespace askos::apps
