// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/communicator.hpp>

#include <ATen/Parallel.h>

#include <exception>
#include <functional>
#include <thread>
#include <vector>

namespace askos::model::test {

/// Runs `body` once per rank, each on a thread of its own, and throws the first failure again.
inline void run_ranks(int num_ranks, const std::function<void(comm::Communicator&)>& body) {
  auto group = comm::make_local_group(num_ranks);
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(num_ranks));
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < group.size(); ++r) {
    threads.emplace_back([&, r] {
      at::set_num_threads(1);
      try {
        body(*group[r]);
      } catch (const std::exception& failure) {
        failures[r] = std::current_exception();
        group[r]->abort(failure.what());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace askos::model::test
