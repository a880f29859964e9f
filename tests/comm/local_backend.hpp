// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "conformance/backend.hpp"

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace askos::comm::conformance {

/// Ranks are threads of the test.
class LocalBackend final : public Backend {
 public:
  [[nodiscard]] std::string name() const override { return "local"; }

  void run(int num_ranks, Nanoseconds deadline, const RankBody& body) override {
    const auto ranks = make_local_group(num_ranks, {.deadline = deadline});
    std::mutex mutex;
    std::exception_ptr first;
    std::vector<std::thread> threads;
    for (const auto& rank : ranks) {
      threads.emplace_back([&, comm = rank.get()] {
        try {
          body(*comm);
        } catch (...) {
          {
            const std::lock_guard lock(mutex);
            first = first != nullptr ? first : std::current_exception();
          }
          comm->abort("another rank's test body threw");
        }
      });
    }
    for (auto& thread : threads) {
      thread.join();
    }
    if (first != nullptr) {
      std::rethrow_exception(first);
    }
  }
};

}  // namespace askos::comm::conformance
