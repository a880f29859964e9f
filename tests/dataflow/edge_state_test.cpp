// SPDX-License-Identifier: Apache-2.0
#include "edge_state.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <semaphore>
#include <thread>

namespace askos::dataflow {
namespace {

class CountingWakeable final : public Wakeable {
 public:
  void wake() noexcept override { ++num_wakes; }
  std::atomic<int> num_wakes{0};
};

class SleepingWakeable final : public Wakeable {
 public:
  void wake() noexcept override { signal_.release(); }
  [[nodiscard]] bool sleep() { return signal_.try_acquire_for(std::chrono::seconds(30)); }

 private:
  std::counting_semaphore<> signal_{0};
};

class EdgeStateTest : public ::testing::Test {
 protected:
  void make(const EdgeOptions& options, Bytes packet = {}) {
    edge = EdgeState::make({.options = options, .packet_host_bytes = packet});
    edge->connect(producer, consumer);
  }
  bool push(std::int64_t number, Bytes bytes = {}) {
    return edge->push(std::make_shared<const std::int64_t>(number),
                      {.sample = SampleId{number}, .host_bytes = bytes});
  }
  AnyPacket take(bool lazy = false) { return edge->take(lazy); }
  std::vector<std::int64_t> take_all() {
    std::vector<std::int64_t> samples;
    while (edge->supply().depth > 0) samples.push_back(take().meta.sample.value);
    return samples;
  }

  std::shared_ptr<CountingWakeable> producer = std::make_shared<CountingWakeable>();
  std::shared_ptr<CountingWakeable> consumer = std::make_shared<CountingWakeable>();
  EdgeState::Owner edge;
};

TEST_F(EdgeStateTest, KeepsOrderAndCountsCreditUntilTheLeaseDies) {
  make({.credit = 3});
  EXPECT_EQ(edge->num_free(), 3);
  push(1);
  push(2);
  {
    const auto packet = take();
    EXPECT_EQ(packet.meta.sample, SampleId{1});
    EXPECT_EQ(edge->num_free(), 1);  // taken, but not released
    EXPECT_EQ(edge->read().depth, 1);
    EXPECT_EQ(edge->read().in_flight, 2);
  }
  EXPECT_EQ(edge->num_free(), 2);
}

TEST_F(EdgeStateTest, FreesThePayloadBeforeItsCredit) {
  make({.credit = 1});
  int free_at_death = -1;
  auto payload =
      std::shared_ptr<const std::int64_t>(new std::int64_t(1), [&](const std::int64_t* number) {
        free_at_death = edge->num_free();
        delete number;
      });
  (void)edge->push(std::move(payload), {});
  {
    const Packet<std::int64_t> packet(take());
  }
  EXPECT_EQ(free_at_death, 0);
  EXPECT_EQ(edge->num_free(), 1);
}

TEST_F(EdgeStateTest, CountsBytesAgainstItsLimit) {
  make({.credit = 10, .host_bytes = {100}}, Bytes{40});
  EXPECT_EQ(edge->num_free(), 2);
  push(1, {40});
  EXPECT_EQ(edge->num_free(), 1);
  EXPECT_TRUE(edge->wait_for_credit(2));
  EXPECT_FALSE(edge->wait_for_credit(1));
  EXPECT_EQ(edge->read().host_bytes, Bytes{40});
  (void)take();
  EXPECT_EQ(edge->read().host_bytes, Bytes{0});
}

TEST_F(EdgeStateTest, LetsOnePacketOfUnknownSizePass) {
  make({.credit = 10, .host_bytes = {100}});
  EXPECT_EQ(edge->num_free(), 1);
  push(1, {150});
  EXPECT_EQ(edge->num_free(), 0);
}

TEST_F(EdgeStateTest, WakesTheConsumerOnceForABurst) {
  make({.credit = 8});
  ASSERT_TRUE(edge->wait_for_packets(1));
  for (int i = 0; i < 5; ++i) push(i);
  EXPECT_EQ(consumer->num_wakes, 1);
}

TEST_F(EdgeStateTest, WakesTheConsumerOnlyForAllItNeeds) {
  make({.credit = 8});
  ASSERT_TRUE(edge->wait_for_packets(3));
  push(1);
  push(2);
  EXPECT_EQ(consumer->num_wakes, 0);
  push(3);
  EXPECT_EQ(consumer->num_wakes, 1);
  EXPECT_FALSE(edge->wait_for_packets(3));
}

TEST_F(EdgeStateTest, WakesTheProducerWhenItsCreditIsBack) {
  make({.credit = 2});
  push(1);
  push(2);
  ASSERT_TRUE(edge->wait_for_credit(1));
  {
    const auto packet = take();
  }
  EXPECT_EQ(producer->num_wakes, 1);
}

TEST_F(EdgeStateTest, WaitsForHalfOfTheCreditWithinABurst) {
  make({.credit = 8});
  for (int i = 0; i < 8; ++i) push(i);
  ASSERT_TRUE(edge->wait_for_credit(1));
  for (int i = 0; i < 3; ++i) (void)take(/*lazy=*/true);
  EXPECT_EQ(producer->num_wakes, 0);
  (void)take(/*lazy=*/true);
  EXPECT_EQ(producer->num_wakes, 1);
}

TEST_F(EdgeStateTest, WakesTheProducerAtTheEndOfABurst) {
  make({.credit = 8});
  for (int i = 0; i < 8; ++i) push(i);
  ASSERT_TRUE(edge->wait_for_credit(1));
  (void)take(/*lazy=*/true);
  EXPECT_EQ(producer->num_wakes, 0);
  edge->end_burst();
  EXPECT_EQ(producer->num_wakes, 1);
}

TEST_F(EdgeStateTest, TellsTheConsumerThatItIsClosed) {
  make({});
  ASSERT_TRUE(edge->wait_for_packets(1));
  edge->close();
  EXPECT_EQ(consumer->num_wakes, 1);
  EXPECT_TRUE(edge->supply().closed);
  EXPECT_FALSE(edge->wait_for_packets(1));
}

TEST_F(EdgeStateTest, CountsAsUndeliveredWhatAnAbandonedEdgeGets) {
  make({.credit = 2});
  push(1);
  push(2);
  ASSERT_TRUE(edge->wait_for_credit(1));
  edge->abandon();
  EXPECT_EQ(producer->num_wakes, 1);
  EXPECT_FALSE(edge->wait_for_credit(1));
  EXPECT_TRUE(push(3));
  EXPECT_EQ(edge->read().num_undelivered, 3);
  EXPECT_EQ(edge->read().in_flight, 0);
}

TEST_F(EdgeStateTest, LatestKeepsOnlyTheNewest) {
  make({.credit = 3, .policy = EdgePolicy::kLatest});
  for (int i = 0; i < 5; ++i) push(i);
  EXPECT_EQ(take_all(), (std::vector<std::int64_t>{4}));
  EXPECT_EQ(edge->read().num_dropped, 4);
}

TEST_F(EdgeStateTest, DropOldestKeepsTheNewestThatFit) {
  make({.credit = 3, .policy = EdgePolicy::kDropOldest});
  for (int i = 0; i < 5; ++i) push(i);
  EXPECT_EQ(take_all(), (std::vector<std::int64_t>{2, 3, 4}));
  EXPECT_EQ(edge->read().num_dropped, 2);
}

TEST_F(EdgeStateTest, NeverExceedsItsCreditWhileTheConsumerHoldsIt) {
  make({.credit = 2, .policy = EdgePolicy::kDropOldest});
  push(0);
  push(1);
  const auto first = take();
  const auto second = take();
  push(2);
  EXPECT_EQ(edge->read().in_flight, 2);
  EXPECT_EQ(edge->read().num_dropped, 1);
  EXPECT_EQ(edge->supply().depth, 0);
}

TEST_F(EdgeStateTest, DoesNotDropWhatTheConsumerClaimed) {
  make({.credit = 3, .policy = EdgePolicy::kDropOldest});
  for (int i = 0; i < 3; ++i) push(i);
  EXPECT_EQ(edge->claim(1), 1);
  push(3);
  push(4);
  EXPECT_EQ(take().meta.sample, SampleId{0});
  edge->unclaim();
  EXPECT_EQ(take_all(), (std::vector<std::int64_t>{3, 4}));
}

TEST_F(EdgeStateTest, FailTellsTheProducer) {
  make({.credit = 1, .policy = EdgePolicy::kFail});
  EXPECT_TRUE(push(1));
  EXPECT_FALSE(push(2));
  EXPECT_EQ(edge->read().num_packets, 1);
}

TEST_F(EdgeStateTest, StartsWithEmptyInitialPackets) {
  make({.credit = 3, .initial = 2});
  EXPECT_EQ(edge->num_free(), 1);
  const auto packet = take();
  EXPECT_EQ(packet.payload, nullptr);
}

TEST_F(EdgeStateTest, OutlivesItsOwnerWhileAPacketIsHeld) {
  make({});
  push(1);
  push(2);
  auto packet = take();
  edge.reset();
  EXPECT_EQ(producer.use_count(), 1);  // forgotten
  packet.lease.release();              // frees the edge; AddressSanitizer watches
}

TEST_F(EdgeStateTest, LosesNothingBetweenTwoThreads) {
  make({.credit = 4});
  constexpr std::int64_t kCount = 20000;
  std::thread writer([&] {
    for (std::int64_t i = 0; i < kCount; ++i) {
      while (edge->num_free() == 0) std::this_thread::yield();
      push(i);
    }
    edge->close();
  });
  std::int64_t next = 0;
  int most_in_flight = 0;
  for (;;) {
    const auto supply = edge->supply();
    if (supply.depth == 0) {
      if (supply.closed) break;
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(take(next % 2 == 0).meta.sample.value, next);
    ++next;
    most_in_flight = std::max(most_in_flight, edge->read().in_flight);
  }
  writer.join();
  EXPECT_EQ(next, kCount);
  EXPECT_LE(most_in_flight, 4);
}

TEST_F(EdgeStateTest, WakesWhoeverSleepsHoweverItsPacketsAreReturned) {
  make({.credit = 3});
  const auto writer_sleep = std::make_shared<SleepingWakeable>();
  const auto reader_sleep = std::make_shared<SleepingWakeable>();
  edge->connect(writer_sleep, reader_sleep);
  constexpr std::int64_t kCount = 3000;
  std::thread writer([&] {
    for (std::int64_t i = 0; i < kCount; ++i) {
      while (edge->wait_for_credit(1)) {
        if (!writer_sleep->sleep()) return edge->close();  // the count below tells
      }
      push(i);
    }
    edge->close();
  });
  std::mutex mutex;
  std::vector<Lease> held;
  std::jthread returner([&](const std::stop_token& stop) {  // packets die on another thread
    while (!stop.stop_requested()) {
      std::vector<Lease> released;
      {
        const std::lock_guard lock(mutex);
        released.swap(held);
      }
      released.clear();
      std::this_thread::yield();
    }
  });
  std::int64_t next = 0;
  for (;;) {
    const auto supply = edge->supply();
    if (supply.depth == 0) {
      if (supply.closed) break;
      if (edge->wait_for_packets(1)) {
        ASSERT_TRUE(reader_sleep->sleep());
      }
      continue;
    }
    auto packet = take();
    ASSERT_EQ(packet.meta.sample.value, next++);
    if (next % 3 == 0) {
      const std::lock_guard lock(mutex);
      held.push_back(std::move(packet.lease));
    }
  }
  writer.join();
  EXPECT_EQ(next, kCount);
}

TEST_F(EdgeStateTest, IsFreedByWhoeverHoldsTheLastPacket) {
  for (int round = 0; round < 200; ++round) {
    make({.credit = 8});
    std::vector<std::thread> holders;
    for (int i = 0; i < 4; ++i) {
      push(2 * i);
      push(2 * i + 1);
      holders.emplace_back([first = take(), second = take()]() mutable {
        first.lease.release();
        second.lease.release();  // AddressSanitizer and ThreadSanitizer watch
      });
    }
    edge.reset();
    for (auto& holder : holders) holder.join();
  }
}

TEST_F(EdgeStateTest, CountsWhatIsPushedWhileTheConsumerLeaves) {
  for (int round = 0; round < 200; ++round) {
    make({.credit = 64});
    std::thread writer([&] {
      for (std::int64_t i = 0; i < 64; ++i) push(i);
    });
    edge->abandon();
    writer.join();
    const auto reading = edge->read();
    EXPECT_EQ(reading.num_undelivered, 64);
    EXPECT_EQ(reading.num_packets, 64);
    EXPECT_EQ(reading.in_flight, 0);
  }
}

}  // namespace
}  // namespace askos::dataflow
