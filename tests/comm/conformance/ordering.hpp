// SPDX-License-Identifier: Apache-2.0
// Several collectives under way at once, on one communicator and on several.
#pragma once

#include "array.hpp"
#include "oracle.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <thread>

namespace askos::comm::conformance {

class OrderConformance : public ConformanceTest {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OrderConformance);

/// A collective under way, with its memory and what must be in it afterwards.
class Pending {
 public:
  /// Enters a collective that depends on `random` only, which must be the same on all ranks.
  Pending(Backend& backend, Communicator& comm, std::mt19937_64& random) {
    const auto seed = random();
    const auto most = static_cast<std::int64_t>(random() % 8 == 0 ? 12'000 : 40);
    const auto dtype = kAllDTypes[random() % kAllDTypes.size()];
    const auto own = static_cast<std::size_t>(comm.rank());
    const auto counts = random_counts(random, comm.size(), most);
    const auto matrix = random_matrix(random, comm.size(), most / comm.size());
    const int root = static_cast<int>(random() % static_cast<std::uint64_t>(comm.size()));
    const auto all = total(counts);
    switch (random() % 6) {
      case 0:
        result(backend, dtype, contribution(seed, comm.rank(), all));
        expected_ = reduced(ReduceOp::kSum, seed, comm.size(), all);
        work_ = comm.all_reduce(result());
        break;
      case 1:
        source(backend, dtype, contribution(seed, comm.rank(), counts[own]));
        result(backend, dtype, Values(static_cast<std::size_t>(all)));
        expected_ = gathered(seed, counts);
        work_ = comm.all_gather(source(), result(), counts);
        break;
      case 2:
        source(backend, dtype, contribution(seed, comm.rank(), all));
        result(backend, dtype, Values(static_cast<std::size_t>(counts[own])));
        expected_ = scattered(seed, counts, comm.rank());
        work_ = comm.reduce_scatter(source(), result(), counts);
        break;
      case 3: {
        const auto received = column(matrix, comm.rank());
        source(backend, dtype, contribution(seed, comm.rank(), total(matrix[own])));
        result(backend, dtype, Values(static_cast<std::size_t>(total(received))));
        expected_ = exchanged(seed, matrix, comm.rank());
        work_ = comm.all_to_all(source(), matrix[own], result(), received);
        break;
      }
      case 4:
        result(backend, dtype, contribution(seed, comm.rank(), all));
        expected_ = contribution(seed, root, all);
        work_ = comm.broadcast(result(), root);
        break;
      default: work_ = comm.barrier();
    }
  }

  [[nodiscard]] Work& work() { return *work_; }

  void expect_right() const {
    if (!arrays_.empty()) {
      EXPECT_EQ(arrays_.back().values(), expected_);
    }
  }

 private:
  void source(Backend& backend, DType dtype, const Values& values) {
    arrays_.emplace_front(backend, dtype, values);
  }
  void result(Backend& backend, DType dtype, const Values& values) {
    arrays_.emplace_back(backend, dtype, values);
  }
  [[nodiscard]] Buffer source() const { return arrays_.front().buffer(); }
  [[nodiscard]] Buffer result() const { return arrays_.back().buffer(); }

  std::deque<Array> arrays_;  // the result last
  Values expected_;
  WorkPtr work_;  // dies first
};

TEST_P(OrderConformance, ManyCollectivesMayBeUnderWayAndAwaitedInAnyOrder) {
  run([&](Communicator& comm) {
    std::mt19937_64 random(11);
    std::mt19937_64 own_random(static_cast<std::uint64_t>(comm.rank()));
    for (int round = 0; round < 5; ++round) {
      std::deque<Pending> pending;
      for (int i = 0; i < 30; ++i) {
        pending.emplace_back(backend(), comm, random);
      }
      std::vector<std::size_t> order(pending.size());
      std::iota(order.begin(), order.end(), 0u);
      std::shuffle(order.begin(), order.end(), own_random);
      for (const auto i : order) {
        pending[i].work().wait();
        pending[i].expect_right();
      }
    }
  });
}

TEST_P(OrderConformance, CompletesWithoutAnybodyWaiting) {
  run([&](Communicator& comm) {
    std::mt19937_64 random(12);
    for (int i = 0; i < 20; ++i) {
      Pending pending(backend(), comm, random);
      while (!pending.work().done()) {
        std::this_thread::yield();
      }
      pending.expect_right();
    }
  });
}

TEST_P(OrderConformance, WaitingTwiceIsHarmless) {
  run([&](Communicator& comm) {
    const auto work = comm.barrier();
    work->wait();
    work->wait();
    EXPECT_TRUE(work->done());
  });
}

TEST_P(OrderConformance, DestroyingAWorkWaitsForIt) {
  run([&](Communicator& comm) {
    for (const std::int64_t count : {10, 20'000}) {
      const Array data(backend(), DType::kFloat32, contribution(13, comm.rank(), count));
      comm.all_reduce(data.buffer()).reset();
      EXPECT_EQ(data.values(), reduced(ReduceOp::kSum, 13, num_ranks(), count));
    }
  });
}

TEST_P(OrderConformance, DerivedCommunicatorsKeepOrdersOfTheirOwn) {
  run([&](Communicator& comm) {
    const auto halo = comm.derive("halo");
    const auto gradients = comm.derive("gradients");
    EXPECT_EQ(halo->name(), "halo");
    EXPECT_EQ(halo->rank(), comm.rank());
    EXPECT_EQ(halo->size(), comm.size());
    std::mt19937_64 halo_random(14);
    std::mt19937_64 gradients_random(15);
    std::deque<Pending> pending;
    const auto enter_halo = [&] {
      for (int i = 0; i < 5; ++i) {
        pending.emplace_back(backend(), *halo, halo_random);
      }
    };
    const auto enter_gradients = [&] {
      for (int i = 0; i < 5; ++i) {
        pending.emplace_back(backend(), *gradients, gradients_random);
      }
    };
    for (int round = 0; round < 5; ++round) {
      if ((comm.rank() + round) % 2 == 0) {
        enter_halo();
        enter_gradients();
      } else {
        enter_gradients();
        enter_halo();
      }
    }
    for (auto& each : pending) {
      each.work().wait();
      each.expect_right();
    }
  });
}

TEST_P(OrderConformance, ThreadsOfOneRankMayEachUseACommunicatorOfTheirOwn) {
  run([&](Communicator& comm) {
    const auto first = comm.derive("first");
    const auto second = comm.derive("second");
    const auto use = [&](Communicator& own, std::uint64_t seed) {
      std::mt19937_64 random(seed);
      for (int i = 0; i < 30; ++i) {
        Pending pending(backend(), own, random);
        pending.work().wait();
        pending.expect_right();
      }
    };
    std::thread other([&] { use(*second, 16); });
    use(*first, 17);
    other.join();
  });
}

TEST_P(OrderConformance, SplitMakesGroupsRankedByTheirOrderHere) {
  run([&](Communicator& comm) {
    const int color = comm.rank() % 2;
    const auto group = comm.split(color, color == 0 ? "even" : "odd");
    EXPECT_EQ(group->size(), (num_ranks() + 1 - color) / 2);
    EXPECT_EQ(group->rank(), comm.rank() / 2);
    EXPECT_EQ(group->name(), color == 0 ? "even" : "odd");
    std::mt19937_64 random(18 + static_cast<std::uint64_t>(color));
    for (int i = 0; i < 10; ++i) {
      Pending pending(backend(), *group, random);
      pending.work().wait();
      pending.expect_right();
    }
    const auto alone = group->split(group->rank(), "alone");
    EXPECT_EQ(alone->size(), 1);
    comm.barrier()->wait();  // the parent goes on
  });
}

}  // namespace askos::comm::conformance
