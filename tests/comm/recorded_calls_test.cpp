// SPDX-License-Identifier: Apache-2.0
// One rank of three, first with its peers, then alone with what it had received.
#include <askos/base/error.hpp>
#include <askos/comm/recorded_calls.hpp>
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_log.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <thread>
#include <vector>

namespace askos::comm {
namespace {

using ::testing::HasSubstr;

constexpr int kRanks = 3;

/// Enters one collective of each kind and returns all that was received.
std::vector<double> work(Communicator& ranks) {
  const int rank = ranks.rank();
  std::vector<double> received;
  const auto keep = [&](const std::vector<double>& values) {
    received.insert(received.end(), values.begin(), values.end());
  };
  const auto buffer = [](std::vector<double>& values) {
    return Buffer{values.data(), static_cast<std::int64_t>(values.size()), DType::kFloat64};
  };
  std::vector<double> sum{0.1 * rank, 1.0 + rank};
  std::vector<double> own(static_cast<std::size_t>(rank + 1), 10.0 + rank);
  std::vector<double> all(6);
  const std::array<std::int64_t, 3> sizes{1, 2, 3};
  const auto first = ranks.all_reduce(buffer(sum));
  const auto second = ranks.all_gather(buffer(own), buffer(all), sizes);
  second->wait();  // not in the order of entering
  first->wait();
  keep(sum);
  keep(all);
  std::vector<double> part(static_cast<std::size_t>(rank + 1));
  ranks.reduce_scatter(buffer(all), buffer(part), sizes)->wait();
  keep(part);
  const std::array<std::int64_t, 3> ones{1, 1, 1};
  std::vector<double> sent{1.0 + rank, 2.0 + rank, 3.0 + rank};
  std::vector<double> exchanged(3);
  ranks.all_to_all(buffer(sent), ones, buffer(exchanged), ones)->wait();
  keep(exchanged);
  const auto odd = ranks.split(rank % 2, "odd");
  std::vector<double> told{100.0 + rank};
  odd->broadcast(buffer(told), 0)->wait();
  odd->barrier()->wait();
  keep(told);
  keep({static_cast<double>(odd->rank()), static_cast<double>(odd->size())});
  return received;
}

struct Kept {
  std::vector<double> received;
  std::vector<RecordedCall> calls;
};

std::vector<Kept> record() {
  auto group = make_local_group(kRanks);
  std::vector<Kept> kept(kRanks);
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto recorder = std::make_shared<CallRecorder>();
      const auto ranks = record_calls(std::move(group[rank]), recorder);
      (void)work(*ranks);  // not recorded
      recorder->start();
      kept[rank].received = work(*ranks);
      kept[rank].calls = recorder->stop();
    });
  }
  for (auto& thread : threads) thread.join();
  return kept;
}

TEST(RecordedCalls, GiveARankAloneWhatItReceivedFromItsPeers) {
  const auto kept = record();
  for (int rank = 0; rank < kRanks; ++rank) {
    const auto& [received, calls] = kept[static_cast<std::size_t>(rank)];
    EXPECT_EQ(calls.size(), 7U);
    const auto replay = std::make_shared<CallReplay>();
    replay->supply(calls);
    const auto alone = replay_calls(rank, kRanks, "world", replay);
    EXPECT_EQ(work(*alone), received) << rank;
  }
}

TEST(RecordedCalls, AnotherCollectiveIsRefusedWithBothNames) {
  auto calls = record()[1].calls;
  calls.erase(calls.begin());
  const auto replay = std::make_shared<CallReplay>();
  replay->supply(calls);
  const auto alone = replay_calls(1, kRanks, "world", replay);
  const auto refusal = [](const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kCheckFailed);
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_THAT(refusal([&] { (void)work(*alone); }),
              HasSubstr("another collective was recorded at this place: "
                        "entered='all_reduce(sum, float64 x 2)'"));
  const auto nothing = replay_calls(1, kRanks, "world", std::make_shared<CallReplay>());
  EXPECT_THAT(refusal([&] { nothing->barrier()->wait(); }),
              HasSubstr("collective was not recorded: entered=barrier, recorded=none"));
}

TEST(RecordedCalls, AreInTheTraceOnce) {
  telemetry::TraceLog log{16};
  const telemetry::CurrentLedger current{nullptr, &log, 0};
  auto group = make_local_group(1);
  const auto alone = record_calls(std::move(group[0]), std::make_shared<CallRecorder>());
  double value = 1;
  alone->all_reduce({&value, 1, DType::kFloat64})->wait();
  const auto events = log.read().events;
  EXPECT_EQ(
      std::ranges::count(events, telemetry::TraceKind::kCollective, &telemetry::TraceEvent::kind),
      1);
}

TEST(RecordedCalls, AnUnfinishedCollectiveCannotBeKept) {
  auto group = make_local_group(1);
  const auto recorder = std::make_shared<CallRecorder>();
  const auto alone = record_calls(std::move(group[0]), recorder);
  recorder->start();
  double value = 1;
  const auto work = alone->all_reduce({&value, 1, DType::kFloat64});
  EXPECT_THROW((void)recorder->stop(), Error);
}

}  // namespace
}  // namespace askos::comm
