// SPDX-License-Identifier: Apache-2.0
#include "parity/ranks.hpp"

#include <ATen/Parallel.h>

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace askos::apps {

void run_ranks(int num_ranks, const std::function<void(comm::Communicator&)>& body) {
  auto group = comm::make_local_group(num_ranks);
  std::exception_ptr first;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (const auto& member : group) {
    threads.emplace_back([&] {
      at::set_num_threads(1);
      try {
        body(*member);
      } catch (const std::exception& failure) {
        {
          const std::lock_guard lock(mutex);
          first = first ? first : std::current_exception();
        }
        member->abort(failure.what());
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  if (first) {
    std::rethrow_exception(first);
  }
}

}  // namespace askos::apps
