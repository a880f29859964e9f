// SPDX-License-Identifier: Apache-2.0
#include "ordered/coordinator.hpp"

#include <gmock/gmock.h>

namespace askos::comm {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Announcement enters(GroupId group, std::int64_t sequence, Call call = {}) {
  return {.kind = Announcement::Kind::kEnter,
          .group = group,
          .sequence = sequence,
          .deadline = 10s,
          .call = std::move(call)};
}

Call splits(int color) {
  return {.kind = CallKind::kSplit, .color = color, .name = "of " + std::to_string(color)};
}

/// Splits three ranks into {0, 2} (group 1) and {1} (group 2).
Coordinator with_two_groups() {
  Coordinator coordinator(3);
  (void)coordinator.take(0, enters(0, 0, splits(4)), 0s);
  (void)coordinator.take(1, enters(0, 0, splits(7)), 0s);
  (void)coordinator.take(2, enters(0, 0, splits(4)), 0s);
  return coordinator;
}

TEST(Coordinator, StartsACollectiveWhenTheLastRankEnters) {
  Coordinator coordinator(2);
  EXPECT_THAT(coordinator.take(1, enters(0, 0), 0s), IsEmpty());
  EXPECT_THAT(coordinator.take(1, enters(0, 1), 0s), IsEmpty());
  const auto orders = coordinator.take(0, enters(0, 0), 0s);
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_EQ(orders[0].kind, Order::Kind::kStart);
  EXPECT_EQ(orders[0].group, 0);
  EXPECT_EQ(orders[0].sequence, 0);
  EXPECT_EQ(coordinator.take(0, enters(0, 1), 0s).at(0).sequence, 1);
}

TEST(Coordinator, NumbersTheGroupsOfASplitByColor) {
  Coordinator coordinator(3);
  (void)coordinator.take(0, enters(0, 0, splits(4)), 0s);
  (void)coordinator.take(2, enters(0, 0, splits(4)), 0s);
  const auto orders = coordinator.take(1, enters(0, 0, splits(7)), 0s);
  ASSERT_THAT(orders, SizeIs(1));
  const auto children = children_of(orders[0].colors, orders[0].first_child);
  ASSERT_THAT(children, SizeIs(2));
  EXPECT_EQ(children[0].group, 1);
  EXPECT_THAT(children[0].members, ::testing::ElementsAre(0, 2));
  EXPECT_EQ(children[1].group, 2);
  EXPECT_THAT(children[1].members, ::testing::ElementsAre(1));
}

TEST(Coordinator, OrdersGroupsByTheirLastRankWhateverTheOthersDid) {
  auto coordinator = with_two_groups();
  // Ranks 0 and 2 enter a collective of all and one of their own in opposite orders.
  EXPECT_THAT(coordinator.take(0, enters(0, 1), 0s), IsEmpty());
  EXPECT_THAT(coordinator.take(2, enters(1, 0), 0s), IsEmpty());
  EXPECT_EQ(coordinator.take(0, enters(1, 0), 0s).at(0).group, 1);
  EXPECT_THAT(coordinator.take(2, enters(0, 1), 0s), IsEmpty());
  EXPECT_EQ(coordinator.take(1, enters(0, 1), 0s).at(0).group, 0);
}

TEST(Coordinator, NamesBothCallsThatDoNotFitAndTheGroupOnce) {
  auto coordinator = with_two_groups();
  (void)coordinator.take(0, enters(1, 0, {.kind = CallKind::kBroadcast}), 0s);
  const auto orders = coordinator.take(2, enters(1, 0), 0s);
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_EQ(orders[0].kind, Order::Kind::kFail);
  EXPECT_EQ(orders[0].group, 1);
  EXPECT_THAT(orders[0].error->what(),
              ::testing::HasSubstr("rank 0='broadcast(from 0, float32 x 0)', rank 1=barrier"));
  EXPECT_THAT(orders[0].error->what(), ::testing::HasSubstr("group='of 4'"));
  EXPECT_THAT(coordinator.take(2, enters(1, 1), 0s), IsEmpty()) << "the group has failed";
  (void)coordinator.take(0, enters(0, 1), 0s);
  (void)coordinator.take(1, enters(0, 1), 0s);
  EXPECT_EQ(coordinator.take(2, enters(0, 1), 0s).at(0).kind, Order::Kind::kStart)
      << "its parent goes on";
}

TEST(Coordinator, NamesWhoIsMissingWhenTheDeadlinePasses) {
  Coordinator coordinator(3);
  EXPECT_EQ(coordinator.next_expiry(), std::nullopt);
  (void)coordinator.take(1, enters(0, 0), 5s);
  (void)coordinator.take(0, enters(0, 0), 9s);
  EXPECT_EQ(coordinator.next_expiry(), 15s);
  EXPECT_THAT(coordinator.expire(14s), IsEmpty());
  const auto orders = coordinator.expire(15s);
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_EQ(orders[0].error->code(), Errc::kRankLost);
  EXPECT_THAT(orders[0].error->what(), ::testing::HasSubstr("collective=barrier"));
  EXPECT_THAT(orders[0].error->what(), ::testing::HasSubstr("missing=2"));
  EXPECT_THAT(coordinator.expire(20s), IsEmpty());
}

TEST(Coordinator, AFailedGroupTakesThoseSplitFromItWithIt) {
  auto coordinator = with_two_groups();
  (void)coordinator.take(0, enters(1, 0), 0s);
  const Error error(Errc::kCancelled, "disk full");
  EXPECT_THAT(
      coordinator.take(1, {.kind = Announcement::Kind::kFail, .group = 0, .error = error}, 0s),
      SizeIs(1));
  EXPECT_THAT(coordinator.take(2, enters(1, 0), 0s), IsEmpty());
  EXPECT_THAT(coordinator.take(
                  2, {.kind = Announcement::Kind::kFail, .group = kWholeRun, .error = error}, 0s),
              IsEmpty())
      << "the first failure stays";
}

TEST(Coordinator, DropsAGroupWhenAllItsRanksHave) {
  auto coordinator = with_two_groups();
  const Announcement drop{.kind = Announcement::Kind::kDrop, .group = 1};
  EXPECT_THAT(coordinator.take(2, drop, 0s), IsEmpty());
  const auto orders = coordinator.take(0, drop, 0s);
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_EQ(orders[0].kind, Order::Kind::kDrop);
  EXPECT_EQ(orders[0].group, 1);
}

TEST(Coordinator, EndsWhenAllHaveLeft) {
  Coordinator coordinator(2);
  EXPECT_THAT(coordinator.take(1, {}, 0s), IsEmpty());
  EXPECT_EQ(coordinator.take(0, {}, 0s).at(0).kind, Order::Kind::kEnd);
}

TEST(Order, SurvivesTheWayBetweenRanks) {
  const Call call{.kind = CallKind::kAllToAll,
                  .op = ReduceOp::kMin,
                  .root = 1,
                  .color = -3,
                  .receive = {nullptr, 12, DType::kBFloat16},
                  .counts = {5, 7},
                  .receive_counts = {6, 6},
                  .name = "halo"};
  const auto announcements = to_announcements(
      to_bytes({.rank = 3,
                .all = {enters(2, 9, call),
                        {.kind = Announcement::Kind::kFail,
                         .group = kWholeRun,
                         .error = Error(Errc::kEnvironment, "disk full").with("path", "a b")}}}));
  EXPECT_EQ(announcements.rank, 3);
  ASSERT_THAT(announcements.all, SizeIs(2));
  EXPECT_EQ(announcements.all[0].group, 2);
  EXPECT_EQ(announcements.all[0].sequence, 9);
  EXPECT_EQ(announcements.all[0].deadline, 10s);
  EXPECT_EQ(describe(announcements.all[0].call), describe(call));
  EXPECT_EQ(announcements.all[0].call.receive_counts, call.receive_counts);
  EXPECT_EQ(announcements.all[0].call.name, "halo");
  EXPECT_STREQ(announcements.all[1].error->what(), "disk full: path='a b'");
  EXPECT_EQ(announcements.all[1].group, kWholeRun);

  const auto bytes = to_bytes({{.kind = Order::Kind::kStart,
                                .group = 4,
                                .sequence = 8,
                                .colors = {1, 0},
                                .first_child = 17}});
  const auto orders = to_orders(bytes);
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_EQ(orders[0].first_child, 17);
  EXPECT_THAT(orders[0].colors, ::testing::ElementsAre(1, 0));
  EXPECT_THROW((void)to_orders(bytes.substr(0, bytes.size() - 1)), Error);
}

}  // namespace
}  // namespace askos::comm
