// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/slot_pool.hpp>
#include <askos/telemetry/ledger.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

namespace askos::comm {
namespace {

using ::testing::HasSubstr;

/// Blocks until `condition` holds; the test's time limit is the deadline.
template <typename Condition>
void until(Condition condition) {
  while (!condition()) {
    std::this_thread::yield();
  }
}

SlotPoolOptions options(int num_slots, Nanoseconds deadline = std::chrono::seconds(60)) {
  return {.name = "pool",
          .num_slots = num_slots,
          .slot_bytes = {1000},
          .alignment = {256},
          .deadline = deadline};
}

TEST(SlotPool, GivesAlignedSlotsThatDoNotOverlap) {
  SlotPool pool(options(3));
  std::deque<Slot> slots;
  for (int i = 0; i < 3; ++i) {
    slots.push_back(pool.acquire("test"));
    EXPECT_EQ(slots.back().bytes().size(), 1000u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slots.back().bytes().data()) % 256, 0u);
    std::ranges::fill(slots.back().bytes(), std::byte(i));
  }
  for (int i = 0; i < 3; ++i) {
    const auto bytes = slots[static_cast<std::size_t>(i)].bytes();
    EXPECT_TRUE(std::ranges::all_of(bytes, [&](std::byte b) { return b == std::byte(i); }));
  }
}

TEST(SlotPool, GivesNothingMoreUntilASlotComesBack) {
  SlotPool pool(options(2));
  auto first = pool.try_acquire("test");
  const auto second = pool.try_acquire("test");
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->index(), second->index());
  EXPECT_FALSE(pool.try_acquire("test"));
  const int index = first->index();
  const auto* memory = first->bytes().data();
  first.reset();
  const auto again = pool.try_acquire("test");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->index(), index);
  EXPECT_EQ(again->bytes().data(), memory);
}

TEST(SlotPool, MovingASlotMovesTheCredit) {
  SlotPool pool(options(2));
  Slot a = pool.acquire("a");
  Slot b = pool.acquire("b");
  const int index = b.index();
  a = std::move(b);  // gives back what `a` held
  EXPECT_EQ(a.index(), index);
  EXPECT_TRUE(b.bytes().empty());  // NOLINT(bugprone-use-after-move): that is the claim
  EXPECT_EQ(pool.report().held.size(), 1u);
  EXPECT_TRUE(pool.try_acquire("c"));
}

TEST(SlotPool, ReportsHoldersAndHighWaterMark) {
  SlotPool pool(options(3));
  const Slot first = pool.acquire("reader");
  {
    const Slot second = pool.acquire("copy");
    const auto report = pool.report();
    ASSERT_EQ(report.held.size(), 2u);
    EXPECT_EQ(report.held[0].index, 0);
    EXPECT_EQ(report.held[0].holder, "reader");
    EXPECT_EQ(report.held[1].holder, "copy");
    EXPECT_LE(report.held[0].since, report.held[1].since);
  }
  const auto report = pool.report();
  EXPECT_EQ(report.name, "pool");
  EXPECT_EQ(report.num_slots, 3);
  EXPECT_EQ(report.held.size(), 1u);
  EXPECT_EQ(report.most_held, 2);
  EXPECT_EQ(report.num_waiting, 0);
}

TEST(SlotPool, AcquireWaitsAndAccountsTheWaitAsMemory) {
  SlotPool pool(options(1));
  std::optional<Slot> held = pool.acquire("main");
  telemetry::Ledger ledger;
  std::thread reader([&] {
    const telemetry::CurrentLedger current(&ledger);
    ledger.enter(telemetry::State::kBusyCpu);
    const Slot slot = pool.acquire("reader");
    EXPECT_EQ(ledger.state(), telemetry::State::kBusyCpu);
    EXPECT_EQ(slot.index(), 0);
  });
  until([&] {
    return ledger.state() == telemetry::State::kWaitMem && pool.report().num_waiting == 1;
  });
  held.reset();
  reader.join();
  EXPECT_GT(ledger.read().in(telemetry::State::kWaitMem).count(), 0);
}

TEST(SlotPool, ServesThreadsInTheOrderInWhichTheyCame) {
  SlotPool pool(options(1));
  std::optional<Slot> held = pool.acquire("main");
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const Slot slot = pool.acquire("waiting");
      const std::lock_guard lock(mutex);
      order.push_back(i);
    });
    until([&] { return pool.report().num_waiting == i + 1; });
  }
  EXPECT_FALSE(pool.try_acquire("impatient"));
  held.reset();
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
}

TEST(SlotPool, NamesTheHoldersWhenTheDeadlinePasses) {
  SlotPool pool(options(2, std::chrono::milliseconds(1)));
  const Slot first = pool.acquire("loader");
  const Slot second = pool.acquire("trainer");
  try {
    (void)pool.acquire("reader");
    FAIL() << "there was no slot";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kStalled);
    EXPECT_THAT(error.what(), HasSubstr("wanted_by=reader, held_by=loader,trainer"));
  }
  EXPECT_EQ(pool.report().num_waiting, 0);
}

TEST(SlotPool, ClosingEndsWaitsAndLeavesSlotsValid) {
  SlotPool pool(options(1));
  const Slot held = pool.acquire("main");
  std::thread reader([&] {
    try {
      (void)pool.acquire("reader");
      ADD_FAILURE() << "the pool was closed";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::kCancelled);
      EXPECT_THAT(error.what(), HasSubstr("reason=drained"));
    }
  });
  until([&] { return pool.report().num_waiting == 1; });
  pool.close("drained");
  reader.join();
  EXPECT_THROW((void)pool.try_acquire("late"), Error);
  EXPECT_THROW((void)pool.acquire("late"), Error);
  EXPECT_EQ(held.bytes().size(), 1000u);
}

TEST(SlotPool, SlotsOutliveThePool) {
  auto pool = std::make_unique<SlotPool>(options(1));
  Slot slot = pool->acquire("consumer");
  pool.reset();
  std::ranges::fill(slot.bytes(), std::byte{7});
  std::thread([moved = std::move(slot)] { EXPECT_EQ(moved.bytes()[999], std::byte{7}); }).join();
}

TEST(SlotPool, ManyThreadsNeverHoldTheSameSlot) {
  constexpr int kThreads = 6;
  constexpr int kSlots = 3;
  SlotPool pool(options(kSlots));
  std::vector<std::atomic<int>> users(kSlots);
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      start.arrive_and_wait();
      for (int i = 0; i < 500; ++i) {
        auto slot =
            random() % 2 == 0 ? pool.try_acquire("thread") : std::optional(pool.acquire("thread"));
        if (slot) {
          auto& user = users[static_cast<std::size_t>(slot->index())];
          EXPECT_EQ(user.fetch_add(1), 0);
          slot->bytes()[0] = std::byte(t);  // a race if two held it: seen by the sanitizer
          user.fetch_sub(1);
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(pool.report().held.size(), 0u);
  EXPECT_LE(pool.report().most_held, kSlots);
}

TEST(SlotPool, HandsSlotsFromAProducerToAConsumer) {
  constexpr int kPackets = 2000;
  SlotPool pool(options(4));
  std::mutex mutex;
  std::deque<Slot> queue;
  std::thread producer([&] {
    for (int i = 0; i < kPackets; ++i) {
      Slot slot = pool.acquire("producer");
      std::ranges::fill(slot.bytes(), std::byte(i));
      const std::lock_guard lock(mutex);
      queue.push_back(std::move(slot));
    }
  });
  for (int i = 0; i < kPackets;) {
    std::optional<Slot> slot;
    {
      const std::lock_guard lock(mutex);
      if (!queue.empty()) {
        slot = std::move(queue.front());
        queue.pop_front();
      }
    }
    if (slot) {
      EXPECT_EQ(slot->bytes().front(), std::byte(i));
      EXPECT_EQ(slot->bytes().back(), std::byte(i));
      ++i;
    } else {
      std::this_thread::yield();
    }
  }
  producer.join();
}

/// Counts what is allocated and can refuse.
class CountingAllocator final : public SlotAllocator {
 public:
  CountingAllocator(std::int64_t& live, bool refuse) : live_(live), refuse_(refuse) {}
  [[nodiscard]] std::byte* allocate(Bytes bytes, Bytes alignment) override {
    if (refuse_) {
      throw Error(Errc::kEnvironment, "no page-locked memory");
    }
    live_ += bytes.value;
    return host_->allocate(bytes, alignment);
  }
  void release(std::byte* memory, Bytes bytes, Bytes alignment) noexcept override {
    live_ -= bytes.value;
    host_->release(memory, bytes, alignment);
  }

 private:
  std::int64_t& live_;
  bool refuse_;
  std::unique_ptr<SlotAllocator> host_ = make_host_allocator();
};

TEST(SlotPool, TakesItsMemoryFromTheAllocatorOnceAndGivesItBack) {
  std::int64_t live = 0;
  {
    SlotPool pool(options(3), std::make_unique<CountingAllocator>(live, false));
    EXPECT_EQ(live, 3 * 1024);
    (void)pool.acquire("test");
    EXPECT_EQ(live, 3 * 1024);
  }
  EXPECT_EQ(live, 0);
  EXPECT_THROW(SlotPool(options(3), std::make_unique<CountingAllocator>(live, true)), Error);
  EXPECT_EQ(live, 0);
}

TEST(SlotPool, RefusesOptionsThatMakeNoSense) {
  EXPECT_THROW(SlotPool({.num_slots = 0, .slot_bytes = {8}}), Error);
  EXPECT_THROW(SlotPool({.num_slots = 1, .slot_bytes = {0}}), Error);
  EXPECT_THROW(SlotPool({.num_slots = 1, .slot_bytes = {8}, .alignment = {3}}), Error);
  EXPECT_THROW(SlotPool({.num_slots = 1 << 30, .slot_bytes = gibibytes(1 << 20)}), Error);
}

}  // namespace
}  // namespace askos::comm
