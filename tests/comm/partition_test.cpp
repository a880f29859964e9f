// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/partition.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace askos::comm {
namespace {

using ::testing::ElementsAre;

/// Calls `check(n, parts)` for axes from empty to the largest, more and fewer than the parts.
template <typename Check>
void for_many_cuts(Check check) {
  for (const std::int64_t n :
       {0LL, 1LL, 2LL, 3LL, 7LL, 63LL, 964LL, 40320LL, 6599680LL, (1LL << 62) - 1}) {
    for (const int parts : {1, 2, 3, 4, 5, 7, 8, 64, 1000}) {
      SCOPED_TRACE(testing::Message() << n << " into " << parts);
      check(n, parts);
    }
  }
}

TEST(Partition, ShardsCoverTheAxisOnceAndInOrder) {
  for_many_cuts([](std::int64_t n, int parts) {
    const auto sizes = balanced_sizes(n, parts);
    std::int64_t position = 0;
    for (int i = 0; i < parts; ++i) {
      const Range range = shard_range(sizes, i);
      ASSERT_EQ(range.begin, position) << "shard " << i;
      ASSERT_GE(range.size(), 0) << "shard " << i;
      position = range.end;
    }
    EXPECT_EQ(position, n);
  });
}

TEST(Partition, SizesDifferByAtMostOneAndTheLargerComeFirst) {
  for_many_cuts([](std::int64_t n, int parts) {
    const auto sizes = balanced_sizes(n, parts);
    ASSERT_EQ(sizes.size(), static_cast<std::size_t>(parts));
    EXPECT_TRUE(std::is_sorted(sizes.rbegin(), sizes.rend()));
    EXPECT_LE(sizes.front() - sizes.back(), 1);
  });
}

TEST(Partition, TheShortcutEqualsTheListOfSizes) {
  for_many_cuts([](std::int64_t n, int parts) {
    const auto sizes = balanced_sizes(n, parts);
    for (int i = 0; i < parts; ++i) {
      ASSERT_EQ(balanced_range(n, parts, i), shard_range(sizes, i)) << "shard " << i;
    }
  });
}

TEST(Partition, OfTenIntoFourPutsTheRemainderFirst) {
  EXPECT_THAT(balanced_sizes(10, 4), ElementsAre(3, 3, 2, 2));
}

TEST(Partition, OfTwoIntoFourLeavesTheLastShardsEmpty) {
  EXPECT_THAT(balanced_sizes(2, 4), ElementsAre(1, 1, 0, 0));
  EXPECT_EQ(balanced_range(2, 4, 3), (Range{2, 2}));
}

TEST(Partition, RangesAreShiftedByTheOffset) {
  EXPECT_EQ(shard_range({3, 0, 2}, 2, 100), (Range{103, 105}));
  EXPECT_EQ(shard_range({3, 0, 2}, 1, 100), (Range{103, 103}));
}

TEST(Partition, RefusesWhatIsNotAShard) {
  EXPECT_THROW((void)balanced_sizes(-1, 2), Error);
  EXPECT_THROW((void)balanced_sizes(4, 0), Error);
  EXPECT_THROW((void)balanced_range(-1, 2, 0), Error);
  for (const int index : {-1, 2}) {
    EXPECT_THROW((void)shard_range({2, 2}, index), Error);
    EXPECT_THROW((void)balanced_range(4, 2, index), Error);
  }
}

}  // namespace
}  // namespace askos::comm
