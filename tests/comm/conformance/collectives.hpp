// SPDX-License-Identifier: Apache-2.0
// Each collective, alone, against the oracle. Include it in one test file per backend and
// instantiate the suite there.
#pragma once

#include "array.hpp"
#include "oracle.hpp"

#include <gmock/gmock.h>

#include <cmath>

namespace askos::comm::conformance {

class CollectiveConformance : public ConformanceTest {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CollectiveConformance);

// On two ranks, float32: more than the 64 KiB that the local backend moves at once.
inline constexpr std::int64_t kManyEntries = 9'001;

TEST_P(CollectiveConformance, AllReduceCombinesEveryDTypeInPlace) {
  run([&](Communicator& comm) {
    std::uint64_t seed = 1;
    for (const DType dtype : kAllDTypes) {
      for (const ReduceOp op : {ReduceOp::kSum, ReduceOp::kMax, ReduceOp::kMin}) {
        for (const std::int64_t count : {std::int64_t{0}, std::int64_t{1}, std::int64_t{3},
                                         std::int64_t{1025}, kManyEntries}) {
          const Array data(backend(), dtype, contribution(++seed, comm.rank(), count));
          comm.all_reduce(data.buffer(), op)->wait();
          ASSERT_EQ(data.values(), reduced(op, seed, num_ranks(), count))
              << dtype << " x " << count << ", operation " << static_cast<int>(op);
        }
      }
    }
  });
}

TEST_P(CollectiveConformance, AllGatherPutsUnevenShardsInRankOrder) {
  run([&](Communicator& comm) {
    std::mt19937_64 random(2);
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      for (const DType dtype : kAllDTypes) {
        const auto counts = random_counts(random, num_ranks(), seed < 9 ? 20 : kManyEntries);
        const auto own = counts[static_cast<std::size_t>(comm.rank())];
        const Array send(backend(), dtype, contribution(seed, comm.rank(), own));
        const Array receive(backend(), dtype, total(counts));
        comm.all_gather(send.buffer(), receive.buffer(), counts)->wait();
        ASSERT_EQ(receive.values(), gathered(seed, counts)) << dtype;
        ASSERT_EQ(send.values(), contribution(seed, comm.rank(), own)) << dtype;
      }
    }
  });
}

TEST_P(CollectiveConformance, AllGatherWorksInPlace) {
  run([&](Communicator& comm) {
    std::mt19937_64 random(3);
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const auto counts = random_counts(random, num_ranks(), seed < 9 ? 20 : kManyEntries);
      const auto own = counts[static_cast<std::size_t>(comm.rank())];
      const auto begin = total({counts.begin(), counts.begin() + comm.rank()});
      auto values = gathered(seed, counts);
      std::fill(values.begin(), values.begin() + begin, 99.0);
      std::fill(values.begin() + begin + own, values.end(), 99.0);
      const Array data(backend(), DType::kFloat32, values);
      comm.all_gather(data.part(begin, own), data.buffer(), counts)->wait();
      ASSERT_EQ(data.values(), gathered(seed, counts));
    }
  });
}

TEST_P(CollectiveConformance, ReduceScatterLeavesEachRankItsPartOfTheSum) {
  run([&](Communicator& comm) {
    std::mt19937_64 random(4);
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      for (const DType dtype : kAllDTypes) {
        const auto counts = random_counts(random, num_ranks(), seed < 9 ? 20 : kManyEntries);
        const Array send(backend(), dtype, contribution(seed, comm.rank(), total(counts)));
        const Array receive(backend(), dtype, counts[static_cast<std::size_t>(comm.rank())]);
        comm.reduce_scatter(send.buffer(), receive.buffer(), counts)->wait();
        ASSERT_EQ(receive.values(), scattered(seed, counts, comm.rank())) << dtype;
        ASSERT_EQ(send.values(), contribution(seed, comm.rank(), total(counts))) << dtype;
      }
    }
  });
}

TEST_P(CollectiveConformance, AllToAllSendsEachPairItsOwnCount) {
  run([&](Communicator& comm) {
    std::mt19937_64 random(5);
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      for (const DType dtype : kAllDTypes) {
        const auto matrix = random_matrix(random, num_ranks(), seed < 9 ? 20 : kManyEntries);
        const auto& sent = matrix[static_cast<std::size_t>(comm.rank())];
        const auto received = column(matrix, comm.rank());
        const Array send(backend(), dtype, contribution(seed, comm.rank(), total(sent)));
        const Array receive(backend(), dtype, total(received));
        comm.all_to_all(send.buffer(), sent, receive.buffer(), received)->wait();
        ASSERT_EQ(receive.values(), exchanged(seed, matrix, comm.rank())) << dtype;
      }
    }
  });
}

TEST_P(CollectiveConformance, BroadcastCopiesFromEveryRoot) {
  run([&](Communicator& comm) {
    for (int root = 0; root < num_ranks(); ++root) {
      for (const DType dtype : kAllDTypes) {
        for (const std::int64_t count : {std::int64_t{0}, std::int64_t{5}, kManyEntries}) {
          const Array data(backend(), dtype, contribution(7, comm.rank(), count));
          comm.broadcast(data.buffer(), root)->wait();
          ASSERT_EQ(data.values(), contribution(7, root, count)) << dtype << " from " << root;
        }
      }
    }
  });
}

TEST_P(CollectiveConformance, SumsOfHalfTypesAccumulateInFloat32) {
  // The unit in the last place is 2 at 256 (bfloat16) and at 2048 (float16): added one by one to
  // either, ones would be lost, as each tie goes to the even neighbour.
  run([&](Communicator& comm) {
    for (const auto& [dtype, large] :
         {std::pair{DType::kBFloat16, 256.0}, std::pair{DType::kFloat16, 2048.0}}) {
      const double expected = std::nearbyint((large + num_ranks() - 1) / 2) * 2;  // rounded once
      const Array data(backend(), dtype, Values(3, comm.rank() == 0 ? large : 1.0));
      comm.all_reduce(data.buffer())->wait();
      EXPECT_EQ(data.values(), Values(3, expected)) << dtype;
    }
  });
}

TEST_P(CollectiveConformance, FloatSumsAreMadeInRankOrder) {
  if (!backend().adds_in_rank_order()) {
    GTEST_SKIP() << "the order is the backend's own";
  }
  // Magnitudes over 12 decades, so that another order gives other bits almost everywhere.
  const auto value = [](int rank, std::int64_t i) {
    return static_cast<float>((entry(8, rank, i) - 25) * std::pow(10.0, entry(9, rank, i) / 4));
  };
  run([&](Communicator& comm) {
    Values own, expected;
    for (std::int64_t i = 0; i < kManyEntries; ++i) {
      own.push_back(static_cast<double>(value(comm.rank(), i)));
      float sum = value(0, i);
      for (int r = 1; r < num_ranks(); ++r) {
        sum += value(r, i);
      }
      expected.push_back(static_cast<double>(sum));
    }
    const Array data(backend(), DType::kFloat32, own);
    comm.all_reduce(data.buffer())->wait();
    EXPECT_EQ(data.values(), expected);

    const Array send(backend(), DType::kFloat32, own);
    std::mt19937_64 random(6);
    Counts counts = random_counts(random, num_ranks() - 1, 1000);
    counts.push_back(kManyEntries - total(counts));
    const auto count = counts[static_cast<std::size_t>(comm.rank())];
    const Array receive(backend(), DType::kFloat32, count);
    comm.reduce_scatter(send.buffer(), receive.buffer(), counts)->wait();
    const auto begin = expected.begin() + total({counts.begin(), counts.begin() + comm.rank()});
    EXPECT_EQ(receive.values(), Values(begin, begin + count));
  });
}

TEST_P(CollectiveConformance, IntegersAreExactAndWrapAround) {
  run([&](Communicator& comm) {
    const double large =
        9007199254740991.0 - 8;  // 2^53 - 9: a float64 sum could not tell the last bit
    const Array wide(backend(), DType::kInt64, Values{comm.rank() == 0 ? large : 1.0});
    comm.all_reduce(wide.buffer())->wait();
    EXPECT_EQ(wide.values(), Values{large + num_ranks() - 1});

    const Array narrow(backend(), DType::kUInt8, Values{100.0});
    comm.all_reduce(narrow.buffer())->wait();
    EXPECT_EQ(narrow.values(), Values{static_cast<double>(100 * num_ranks() % 256)});

    const Array negative(backend(), DType::kInt32, Values{-3.0 - comm.rank()});
    comm.all_reduce(negative.buffer(), ReduceOp::kMin)->wait();
    EXPECT_EQ(negative.values(), Values{-2.0 - num_ranks()});
  });
}

TEST_P(CollectiveConformance, CountsTheBytesThatLeaveTheRank) {
  run([&](Communicator& comm) {
    const auto others = num_ranks() - 1;
    std::int64_t expected = 0;
    const auto expect = [&](std::int64_t bytes) {
      expected += bytes;
      EXPECT_EQ(comm.bytes_sent(), expected);
    };
    expect(0);
    const Array data(backend(), DType::kFloat64, 10);
    comm.all_reduce(data.buffer())->wait();
    expect(others * 10 * 8);

    Counts counts(static_cast<std::size_t>(num_ranks()), 3);
    counts.back() = 1;
    const bool is_last = comm.rank() == others;
    const auto own = counts[static_cast<std::size_t>(comm.rank())];
    const Array part(backend(), DType::kFloat32, own);
    const Array all(backend(), DType::kFloat32, total(counts));
    comm.all_gather(part.buffer(), all.buffer(), counts)->wait();
    expect(others * own * 4);
    comm.reduce_scatter(all.buffer(), part.buffer(), counts)->wait();
    expect((total(counts) - own) * 4);
    comm.broadcast(part.part(0, 1), others)->wait();
    expect(is_last ? others * 4 : 0);
    comm.barrier()->wait();
    expect(0);

    const Counts twos(static_cast<std::size_t>(num_ranks()), 2);
    const Array send(backend(), DType::kUInt8, total(twos));
    const Array receive(backend(), DType::kUInt8, total(twos));
    comm.all_to_all(send.buffer(), twos, receive.buffer(), twos)->wait();
    expect(others * 2);
  });
}

}  // namespace askos::comm::conformance
