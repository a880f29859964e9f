// SPDX-License-Identifier: Apache-2.0
// What only ranks in one process have; the rest is in the conformance tests.
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/telemetry/ledger.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace askos::comm {
namespace {

using ::testing::HasSubstr;
using Ranks = std::vector<std::unique_ptr<Communicator>>;

Buffer buffer(std::vector<float>& values) {
  return {values.data(), static_cast<std::int64_t>(values.size()), DType::kFloat32};
}

/// Runs `body(rank)` on one thread per rank.
template <typename Body>
void on_threads(int num_ranks, Body body) {
  std::vector<std::thread> threads;
  for (int rank = 0; rank < num_ranks; ++rank) {
    threads.emplace_back(body, rank);
  }
  for (auto& thread : threads) {
    thread.join();
  }
}

/// What `function` throws; its code is `kCheckFailed` if it throws nothing.
template <typename Function>
Error caught(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error;
  }
  return {Errc::kCheckFailed, "nothing was thrown"};
}

TEST(LocalCommunicator, RefusesAGroupWithoutRanks) {
  EXPECT_EQ(caught([] { (void)make_local_group(0); }).code(), Errc::kInvalidInput);
}

TEST(LocalCommunicator, NamesRanksAndGroup) {
  const auto ranks = make_local_group(3, {.name = "model"});
  for (int r = 0; r < 3; ++r) {
    EXPECT_EQ(ranks[static_cast<std::size_t>(r)]->rank(), r);
    EXPECT_EQ(ranks[static_cast<std::size_t>(r)]->size(), 3);
    EXPECT_EQ(ranks[static_cast<std::size_t>(r)]->name(), "model");
  }
}

TEST(LocalCommunicator, AloneIsDoneWhenTheCallReturns) {
  const auto ranks = make_local_group(1);
  std::vector<float> values(100'000, 2.0f);
  std::vector<float> copy(values.size());
  const std::vector<std::int64_t> counts{100'000};
  EXPECT_TRUE(ranks[0]->all_reduce(buffer(values))->done());
  EXPECT_TRUE(ranks[0]->all_gather(buffer(values), buffer(copy), counts)->done());
  EXPECT_TRUE(ranks[0]->barrier()->done());
  EXPECT_EQ(copy, values);
  EXPECT_EQ(ranks[0]->bytes_sent(), 0);
}

TEST(LocalCommunicator, BarrierHoldsEveryRankUntilAllHaveEntered) {
  constexpr int kRanks = 4;
  const auto ranks = make_local_group(kRanks);
  std::atomic<int> num_entered{0};
  on_threads(kRanks, [&](int rank) {
    for (int round = 1; round <= 100; ++round) {
      ++num_entered;
      ranks[static_cast<std::size_t>(rank)]->barrier()->wait();
      EXPECT_GE(num_entered.load(), round * kRanks);
    }
  });
}

// `count` decides who moves the bytes: the last rank to enter, or the ranks that wait.
class LocalWait : public ::testing::TestWithParam<std::size_t> {};

TEST_P(LocalWait, IsAccountedAsWaitComm) {
  const auto ranks = make_local_group(2);
  telemetry::Ledger ledger;
  std::vector<float> a(GetParam(), 1.0f);
  std::vector<float> b(GetParam(), 2.0f);
  std::thread waiting([&] {
    const telemetry::CurrentLedger current(&ledger);
    ledger.enter(telemetry::State::kBusyCpu);
    ranks[0]->all_reduce(buffer(a))->wait();
    EXPECT_EQ(ledger.state(), telemetry::State::kBusyCpu);
  });
  while (ledger.state() != telemetry::State::kWaitComm) {
    std::this_thread::yield();
  }
  ranks[1]->all_reduce(buffer(b))->wait();
  waiting.join();
  EXPECT_GT(ledger.read().in(telemetry::State::kWaitComm).count(), 0);
  EXPECT_EQ(a, std::vector<float>(GetParam(), 3.0f));
  EXPECT_EQ(b, a);
}

INSTANTIATE_TEST_SUITE_P(FewAndManyBytes, LocalWait, ::testing::Values(10, 100'000));

TEST(LocalCommunicator, ARankThatLeavesFailsWhatItHasNotEntered) {
  Ranks ranks = make_local_group(3);
  std::vector<float> values(4);
  const auto before = ranks[0]->barrier();
  const auto after = ranks[0]->all_reduce(buffer(values));
  const auto also_before = ranks[1]->barrier();
  ranks[2]->barrier()->wait();
  ranks[2].reset();
  EXPECT_NO_THROW(before->wait());  // it had entered that one
  const Error error = caught([&] { after->wait(); });
  EXPECT_EQ(error.code(), Errc::kRankLost);
  EXPECT_THAT(error.what(), HasSubstr("all_reduce(sum, float32 x 4)"));
  EXPECT_THAT(error.what(), HasSubstr("sequence=1"));
  EXPECT_THAT(error.what(), HasSubstr("left=2"));
  EXPECT_EQ(caught([&] { ranks[1]->barrier()->wait(); }).code(), Errc::kRankLost);
}

TEST(LocalCommunicator, ACollectiveEnteredAfterARankLeftFailsAtOnce) {
  Ranks ranks = make_local_group(2);
  ranks[0].reset();
  const Error error = caught([&] { ranks[1]->barrier()->wait(); });
  EXPECT_EQ(error.code(), Errc::kRankLost);
  EXPECT_THAT(error.what(), HasSubstr("left=0"));
}

TEST(LocalCommunicator, ALateRankIsToldThatTheOthersGaveUp) {
  const auto ranks = make_local_group(2, {.deadline = std::chrono::milliseconds(1)});
  EXPECT_EQ(caught([&] { ranks[0]->barrier()->wait(); }).code(), Errc::kRankLost);
  const Error error = caught([&] { ranks[1]->barrier()->wait(); });
  EXPECT_EQ(error.code(), Errc::kRankLost);
  EXPECT_THAT(error.what(), HasSubstr("missing=1"));
}

TEST(LocalCommunicator, TheDeadlineIsForMissingRanksNotForMovingBytes) {
  const auto ranks = make_local_group(3, {.deadline = std::chrono::microseconds(1)});
  std::vector<std::vector<float>> values(3, std::vector<float>(2'000'000, 1.0f));
  std::vector<WorkPtr> works;
  for (std::size_t r = 0; r < 3; ++r) {
    works.push_back(ranks[r]->all_reduce(buffer(values[r])));
  }
  on_threads(3, [&](int rank) { works[static_cast<std::size_t>(rank)]->wait(); });
  EXPECT_EQ(values[2], std::vector<float>(2'000'000, 3.0f));
  std::vector<WorkPtr> barriers;
  for (const auto& rank : ranks) {
    barriers.push_back(rank->barrier());
  }
  EXPECT_NO_THROW(barriers[0]->wait());  // the group has not failed
}

TEST(LocalCommunicator, TheFirstFailureIsTheOneReported) {
  const auto ranks = make_local_group(2);
  ranks[1]->abort("first");
  ranks[0]->abort("second");
  EXPECT_THAT(caught([&] { ranks[0]->barrier()->wait(); }).what(), HasSubstr("reason=first"));
}

TEST(LocalCommunicator, WhatCompletedBeforeAFailureStaysDone) {
  const auto ranks = make_local_group(2);
  const auto first = ranks[0]->barrier();
  const auto second = ranks[1]->barrier();
  ranks[0]->abort("afterwards");
  EXPECT_NO_THROW(first->wait());
  EXPECT_NO_THROW(second->wait());
}

TEST(LocalCommunicator, AFailureOfADerivedCommunicatorLeavesTheParentAlone) {
  const auto ranks = make_local_group(2);
  Ranks derived(2);
  on_threads(2, [&](int rank) {
    derived[static_cast<std::size_t>(rank)] =
        ranks[static_cast<std::size_t>(rank)]->derive("derived");
  });
  derived[0]->abort("only here");
  EXPECT_EQ(caught([&] { derived[1]->barrier()->wait(); }).code(), Errc::kCancelled);
  on_threads(2, [&](int rank) { ranks[static_cast<std::size_t>(rank)]->barrier()->wait(); });
}

TEST(LocalCommunicator, PartsOfAGroupDieInAnyOrder) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<float> a(50'000, 1.0f);
    std::vector<float> b(50'000, 1.0f);
    Ranks ranks = make_local_group(2);
    Ranks derived(2);
    on_threads(2, [&](int rank) {
      derived[static_cast<std::size_t>(rank)] =
          ranks[static_cast<std::size_t>(rank)]->derive("derived");
    });
    std::vector<std::function<void()>> deaths;
    const auto dies = [&](auto owner) {
      deaths.push_back(
          [shared = std::make_shared<decltype(owner)>(std::move(owner))] { shared->reset(); });
    };
    dies(derived[0]->all_reduce(buffer(a)));
    dies(derived[1]->all_reduce(buffer(b)));
    for (Ranks* each : {&ranks, &derived}) {
      dies(std::move(each->at(0)));
      dies(std::move(each->at(1)));
    }
    std::shuffle(deaths.begin(), deaths.end(), random);
    for (const auto& death : deaths) {
      death();
    }
    EXPECT_EQ(a, std::vector<float>(50'000, 2.0f));
    EXPECT_EQ(b, a);
  }
}

TEST(LocalCommunicator, AbortRacesWithCollectivesWithoutHangingOrTouchingFreedMemory) {
  for (int round = 0; round < 100; ++round) {
    const auto ranks = make_local_group(3);
    on_threads(3, [&](int rank) {
      auto& comm = *ranks[static_cast<std::size_t>(rank)];
      try {
        for (int i = 0;; ++i) {
          std::vector<float> values(i % 4 == 0 ? 20'000 : 10, 1.0f);
          comm.all_reduce(buffer(values))->wait();
          if (rank == 0 && i == round % 7) {
            comm.abort("enough");
          }
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Errc::kCancelled) << error.what();
      }
    });
  }
}

}  // namespace
}  // namespace askos::comm
