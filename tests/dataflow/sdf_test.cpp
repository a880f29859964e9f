// SPDX-License-Identifier: Apache-2.0
#include "sdf.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace askos::dataflow::sdf {
namespace {

using Numbers = std::vector<std::int64_t>;

/// 0 -> 1 twice; the second way is collected by `taken` packets.
Net pair_of_ways(std::int64_t short_way, std::int64_t long_way, int batch) {
  // 0 -> 2 directly, 0 -> 1 -> 2 where 1 collects `batch` packets before it makes as many.
  return {.num_actors = 3,
          .edges = {{.from = 0, .to = 2, .capacity = short_way},
                    {.from = 0, .to = 1, .taken = batch, .capacity = long_way},
                    {.from = 1, .to = 2, .made = batch, .capacity = long_way}}};
}

TEST(Sdf, FindsTheSmallestFiringsThatBalance) {
  const Net net{.num_actors = 4,
                .edges = {{.from = 0, .to = 1, .made = 3, .taken = 2},
                          {.from = 1, .to = 2, .made = 1, .taken = 6}}};
  const auto result = balance(net);
  EXPECT_TRUE(result.unbalanced.empty());
  EXPECT_EQ(result.firings, (Numbers{4, 6, 1, 1}));  // actor 3 is alone
}

TEST(Sdf, ReportsRatesThatNoFiringsBalance) {
  const Net net{.num_actors = 2, .edges = {{.from = 0, .to = 1}, {.from = 0, .to = 1, .made = 2}}};
  EXPECT_EQ(balance(net).unbalanced, (std::vector<std::size_t>{1}));
}

TEST(Sdf, StopsWhenTheDirectWayIsShorterThanTheBatch) {
  const auto net = pair_of_ways(2, 8, 8);
  const auto firings = balance(net).firings;
  const auto halt = simulate(net, firings);
  EXPECT_FALSE(halt.complete);
  EXPECT_EQ(halt.full, (std::vector<std::size_t>{0}));
  const auto repaired = smallest_capacities(net, firings);
  ASSERT_TRUE(repaired);
  EXPECT_TRUE(repaired->smallest);
  EXPECT_EQ(repaired->values, (Numbers{8, 8, 8}));
}

TEST(Sdf, FindsNoCapacityForACycleWithoutPackets) {
  const Net net{.num_actors = 2, .edges = {{.from = 0, .to = 1}, {.from = 1, .to = 0}}};
  EXPECT_FALSE(smallest_capacities(net, balance(net).firings));
}

TEST(Sdf, SettlesForASufficientIncreaseWhenTheSearchIsCutShort) {
  const auto net = pair_of_ways(2, 50, 50);
  const auto firings = balance(net).firings;
  const auto repaired = smallest_capacities(net, firings, /*max_steps=*/3);
  ASSERT_TRUE(repaired);
  EXPECT_FALSE(repaired->smallest);
  auto wider = net;
  for (std::size_t i = 0; i < net.edges.size(); ++i) wider.edges[i].capacity = repaired->values[i];
  EXPECT_TRUE(simulate(wider, firings).complete);
}

/// A random net that balances by construction: rates follow from random numbers of firings.
Net random_net(std::mt19937& random) {
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  Net net{.num_actors = pick(2, 4)};
  std::vector<int> firings;
  for (int i = 0; i < net.num_actors; ++i) firings.push_back(pick(1, 3));
  const int num_edges = pick(net.num_actors - 1, net.num_actors + 1);
  for (int i = 0; i < num_edges; ++i) {
    Edge edge{.from = pick(0, net.num_actors - 1), .to = pick(0, net.num_actors - 1)};
    const int common = std::gcd(firings[static_cast<std::size_t>(edge.from)],
                                firings[static_cast<std::size_t>(edge.to)]);
    edge.made = firings[static_cast<std::size_t>(edge.to)] / common;
    edge.taken = firings[static_cast<std::size_t>(edge.from)] / common;
    if (edge.from >= edge.to) edge.initial = pick(0, 4);
    edge.capacity = std::max({edge.made, edge.taken, edge.initial}) + pick(0, 2);
    net.edges.push_back(edge);
  }
  return net;
}

/// The oracle: fires one random actor at a time.
bool completes_in_random_order(const Net& net, Numbers left, std::mt19937& random) {
  Numbers packets;
  for (const auto& edge : net.edges) packets.push_back(edge.initial);
  for (;;) {
    std::vector<int> ready;
    for (int actor = 0; actor < net.num_actors; ++actor) {
      bool can = left[static_cast<std::size_t>(actor)] > 0;
      for (std::size_t i = 0; i < net.edges.size(); ++i) {
        const auto& edge = net.edges[i];
        if (edge.to == actor && packets[i] < edge.taken) can = false;
        if (edge.from == actor && packets[i] + edge.made > edge.capacity) can = false;
      }
      if (can) ready.push_back(actor);
    }
    if (ready.empty()) return std::accumulate(left.begin(), left.end(), std::int64_t{0}) == 0;
    const int actor = ready[random() % ready.size()];
    --left[static_cast<std::size_t>(actor)];
    for (std::size_t i = 0; i < net.edges.size(); ++i) {
      if (net.edges[i].to == actor) packets[i] -= net.edges[i].taken;
      if (net.edges[i].from == actor) packets[i] += net.edges[i].made;
    }
  }
}

/// The oracle: tries every increase of this sum.
bool some_increase_completes(Net net, const Numbers& firings, std::int64_t sum, std::size_t edge) {
  if (edge + 1 == net.edges.size()) {
    net.edges[edge].capacity += sum;
    return simulate(net, firings).complete;
  }
  for (std::int64_t extra = 0; extra <= sum; ++extra) {
    auto larger = net;
    larger.edges[edge].capacity += extra;
    if (some_increase_completes(larger, firings, sum - extra, edge + 1)) return true;
  }
  return false;
}

TEST(Sdf, HaltsTheSameWayInAnyOrder) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto net = random_net(random);
    const auto firings = balance(net).firings;
    EXPECT_EQ(simulate(net, firings).complete, completes_in_random_order(net, firings, random));
  }
}

void expect_smallest_increase(const Net& net) {
  const auto firings = balance(net).firings;
  const auto found = smallest_capacities(net, firings);
  constexpr std::int64_t kMost = 6;
  std::int64_t increase = kMost + 1;
  if (found) {
    increase = 0;
    for (std::size_t i = 0; i < net.edges.size(); ++i) {
      increase += found->values[i] - net.edges[i].capacity;
    }
    auto larger = net;
    for (std::size_t i = 0; i < net.edges.size(); ++i) larger.edges[i].capacity = found->values[i];
    EXPECT_TRUE(simulate(larger, firings).complete);
  }
  for (std::int64_t sum = 0; sum < std::min(increase, kMost + 1); ++sum) {
    EXPECT_FALSE(some_increase_completes(net, firings, sum, 0)) << "a sum of " << sum << " will do";
  }
}

TEST(Sdf, FindsTheSmallestIncreaseThatExists) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    expect_smallest_increase(random_net(random));
  }
}

}  // namespace
}  // namespace askos::dataflow::sdf
