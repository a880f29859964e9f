// SPDX-License-Identifier: Apache-2.0
#include "dataflow/support/stages.hpp"

#include <askos/dataflow/session.hpp>

#include <gtest/gtest.h>

#include <numeric>

namespace askos::dataflow {
namespace {

using namespace std::chrono_literals;
using test::Apply;
using test::Count;
using test::Keep;
using test::Number;

constexpr Nanoseconds kLong = 60s;

class SessionTest : public ::testing::TestWithParam<EngineKind> {
 protected:
  [[nodiscard]] EngineOptions engine() const { return {.kind = GetParam()}; }
};

INSTANTIATE_TEST_SUITE_P(Engines,
                         SessionTest,
                         ::testing::Values(EngineKind::kActor, EngineKind::kSerial),
                         [](const auto& tested) {
                           return tested.param == EngineKind::kActor ? "Actor" : "Serial";
                         });

Graph chain(const std::shared_ptr<std::vector<Number>>& kept, Number count, int credit) {
  Graph graph("chain");
  auto& source = graph.add<Count>("source", count);
  auto& twice = graph.add<Apply>("twice", [](Number x) { return 2 * x; });
  auto& sink = graph.add<Keep>("sink", kept);
  graph.connect(source.out, twice.in, {.credit = credit});
  graph.connect(twice.out, sink.in, {.credit = credit});
  return graph;
}

TEST_P(SessionTest, DeliversEveryPacketInOrder) {
  for (const int credit : {1, 2, 64}) {
    const auto kept = test::make_list();
    const auto session = start(Plan(chain(kept, 5000, credit)), engine());
    const auto outcome = session->wait(kLong);
    ASSERT_TRUE(outcome && outcome->ok());
    EXPECT_EQ(outcome->num_undelivered, 0);
    std::vector<Number> expected(5000);
    for (Number i = 0; i < 5000; ++i) expected[static_cast<std::size_t>(i)] = 2 * i;
    EXPECT_EQ(*kept, expected);
  }
}

}  // namespace
}  // namespace askos::dataflow
