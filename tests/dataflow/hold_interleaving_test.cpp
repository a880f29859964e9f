// SPDX-License-Identifier: Apache-2.0
// Whatever order the scheduler picks, a hold comes about, at a cut, and loses nothing.
#include "dataflow/support/meeting.hpp"
#include "dataflow/support/stages.hpp"
#include "dataflow/support/stepped_actors.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace askos::dataflow {
namespace {

using test::Apply;
using test::Count;
using test::Keep;
using test::MeetingPoint;
using test::Number;
using test::SteppedActors;
using List = std::shared_ptr<std::vector<Number>>;

constexpr Number kCount = 40;
constexpr int kRanks = 3;
constexpr int kBatch = 4;
const Debugger kMe{.name = "me"};

/// Numbers, passed on; meeting the other ranks one by one and again four by four.
std::vector<Graph> meeting(const std::vector<List>& kept,
                           const std::vector<std::shared_ptr<MeetingPoint>>& points) {
  std::vector<Graph> graphs;
  for (const auto& list : kept) {
    auto& graph = graphs.emplace_back("meeting");
    auto& source = graph.add<Count>("source", kCount);
    auto& before = graph.add<Apply>("before", [](Number x) { return x + 1; });
    auto& meet = graph.add<test::Meet>("meet", "one", points[0]);
    auto& between = graph.add<Apply>("between", [](Number x) { return x; });
    auto& again = graph.add<test::Meet>("again", "four", points[1], kBatch);
    auto& sink = graph.add<Keep>("sink", list);
    graph.connect(source.out, before.in, {.credit = 1});
    graph.connect(before.out, meet.in, {.credit = 3});
    graph.connect(meet.out, between.in);
    graph.connect(between.out, again.in, {.credit = 6});
    graph.connect(again.out, sink.in, {.credit = 1});
  }
  return graphs;
}

class Interleaving : public ::testing::TestWithParam<unsigned> {
 protected:
  void step_some(SteppedActors& actors) {
    for (auto left = random_() % 200; left > 0 && actors.step(); --left) {
    }
  }
  /// Runs until nothing moves; the hold must be reached then, and at a cut.
  void expect_paused(SteppedActors& actors) {
    auto& hold = actors.execution().hold();
    const auto settle = [&] {
      do {
        while (actors.step()) {
        }
        if (hold.status("me").state == HoldState::kPaused) return true;
      } while (actors.step());
      return false;
    };
    const bool reached = settle();
    if (actors.execution().outcome()) return;
    ASSERT_TRUE(reached) << "the hold does not come about";
    for (const auto& point : points_) EXPECT_FALSE(point->is_half_entered());
  }

  std::mt19937 random_{GetParam()};
  std::vector<List> kept_{test::make_list(), test::make_list(), test::make_list()};
  std::vector<std::shared_ptr<MeetingPoint>> points_{std::make_shared<MeetingPoint>(kRanks),
                                                     std::make_shared<MeetingPoint>(kRanks)};
};

TEST_P(Interleaving, OfHoldsStepsAndResumesLosesNothing) {
  const std::vector<std::string> names{"", "source", "before", "meet", "between", "again", "sink"};
  SteppedActors actors(meeting(kept_, points_), GetParam());
  auto& hold = actors.execution().hold();
  for (int i = 0; i < 4 && !actors.execution().outcome(); ++i) {
    step_some(actors);
    if (actors.execution().outcome()) break;
    hold.pause(kMe, i % 2 == 0 ? "" : names[random_() % names.size()], "pause");
    expect_paused(actors);
    for (int steps = 0; steps < 2 && !actors.execution().outcome(); ++steps) {
      hold.step(kMe, static_cast<std::int64_t>(1 + random_() % 5), "");
      expect_paused(actors);
    }
    if (!actors.execution().outcome()) hold.resume(kMe, "");
  }
  const auto outcome = actors.run();
  ASSERT_TRUE(outcome.has_value()) << "the graph hangs";
  EXPECT_TRUE(outcome->ok());
  for (const auto& list : kept_) {
    ASSERT_EQ(list->size(), static_cast<std::size_t>(kCount / kBatch));
    EXPECT_EQ(std::accumulate(list->begin(), list->end(), Number{0}), kCount * (kCount + 1) / 2);
    EXPECT_TRUE(std::is_sorted(list->begin(), list->end()));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Interleaving, ::testing::Range(0U, 200U));

}  // namespace
}  // namespace askos::dataflow
