// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"

#include <askos/io/keyed_permutation.hpp>
#include <askos/io/sample_schedule.hpp>
#include <askos/io/window_index.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

namespace askos::io {
namespace {

TEST(WindowIndex, KeepsAwayFromBoundsAndMissingRows) {
  const std::vector<std::uint8_t> present{1, 1, 1, 0, 1, 1, 1, 1};
  const WindowIndex index(present, {{-1, 0}, {1}}, {0, 8});
  ASSERT_EQ(index.size(), 3);
  EXPECT_EQ(index.anchor(0), 1);
  EXPECT_EQ(index.anchor(1), 5);
  EXPECT_EQ(index.anchor(2), 6);
  EXPECT_EQ(index.input_rows(1), (std::vector<std::int64_t>{4, 5}));
  EXPECT_EQ(index.target_rows(1), (std::vector<std::int64_t>{6}));
  EXPECT_EQ(index.rows(1), (std::vector<std::int64_t>{4, 5, 6}));
}

TEST(WindowIndex, EqualsADirectSearchForRandomWindows) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<std::uint8_t> present(random() % 40);
    for (auto& row : present) {
      row = random() % 5 != 0;
    }
    std::vector<std::int64_t> offsets(11);
    std::iota(offsets.begin(), offsets.end(), -5);
    std::shuffle(offsets.begin(), offsets.end(), random);
    const auto cut = offsets.begin() + static_cast<std::ptrdiff_t>(random() % 3 + 1);
    const WindowShape shape{{offsets.begin(), cut}, {cut, cut + 2}};
    const auto rows = static_cast<std::int64_t>(present.size());
    const comm::Range targets{static_cast<std::int64_t>(random() % 10), rows - 2};
    const WindowIndex index(present, shape, targets);
    std::vector<std::int64_t> expected;
    for (std::int64_t anchor = -20; anchor < rows + 20; ++anchor) {
      const auto there = [&](std::int64_t row) {
        return row >= 0 && row < rows && present[static_cast<std::size_t>(row)] != 0;
      };
      bool valid = true;
      for (const std::int64_t offset : shape.inputs) {
        valid = valid && there(anchor + offset);
      }
      for (const std::int64_t offset : shape.targets) {
        valid = valid && there(anchor + offset) && anchor + offset >= targets.begin &&
                anchor + offset < targets.end;
      }
      if (valid) {
        expected.push_back(anchor);
      }
    }
    std::vector<std::int64_t> found;
    for (std::int64_t i = 0; i < index.size(); ++i) {
      found.push_back(index.anchor(i));
    }
    EXPECT_EQ(found, expected) << "trial " << trial;
  }
}

TEST(WindowIndex, RefusesWindowsThatMakeNoSense) {
  const std::vector<std::uint8_t> present(5, 1);
  EXPECT_EQ(error_of([&] { WindowIndex(present, {{}, {}}, {0, 5}); }).code(), Errc::kInvalidInput);
  EXPECT_EQ(error_of([&] { WindowIndex(present, {{0, 0}, {1}}, {0, 5}); }).code(),
            Errc::kInvalidInput);
  const WindowIndex index(present, {{0}, {1}}, {0, 5});
  EXPECT_EQ(error_of([&] { static_cast<void>(index.anchor(4)); }).code(), Errc::kInvalidInput);
}

TEST(KeyedPermutation, IsABijectionForAnyLengthSeedAndEpoch) {
  for (const std::int64_t n : {1, 2, 3, 4, 5, 16, 17, 39, 64, 65, 1000, 4097}) {
    for (const std::uint64_t seed : {0ULL, 1ULL, ~0ULL}) {
      for (const std::int64_t epoch : {0, 1, 1'000'000}) {
        const KeyedPermutation order(n, seed, epoch);
        std::vector<bool> seen(static_cast<std::size_t>(n));
        for (std::int64_t i = 0; i < n; ++i) {
          const std::int64_t element = order(i);
          ASSERT_TRUE(element >= 0 && element < n);
          ASSERT_FALSE(seen[static_cast<std::size_t>(element)]);
          seen[static_cast<std::size_t>(element)] = true;
        }
      }
    }
  }
}

TEST(KeyedPermutation, DiffersBetweenEpochsAndSeeds) {
  const KeyedPermutation a(1000, 7, 0);
  const KeyedPermutation b(1000, 7, 1);
  const KeyedPermutation c(1000, 8, 0);
  int same_epoch = 0;
  int same_seed = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    same_epoch += a(i) == b(i) ? 1 : 0;
    same_seed += a(i) == c(i) ? 1 : 0;
  }
  // Two random permutations agree in one place on average; 10 has probability 1e-7.
  EXPECT_LT(same_epoch, 10);
  EXPECT_LT(same_seed, 10);
}

TEST(KeyedPermutation, PutsEachElementEverywhereEquallyOften) {
  // 5 elements, 20 000 epochs: each (place, element) is expected 4 000 times, standard
  // deviation 57.
  std::map<std::pair<std::int64_t, std::int64_t>, int> counts;
  for (std::int64_t epoch = 0; epoch < 20'000; ++epoch) {
    const KeyedPermutation order(5, 3, epoch);
    for (std::int64_t i = 0; i < 5; ++i) {
      ++counts[{i, order(i)}];
    }
  }
  for (const auto& [place, count] : counts) {
    EXPECT_NEAR(count, 4000, 5 * 57) << place.first << " " << place.second;
  }
}

TEST(KeyedPermutation, StaysTheSameFromReleaseToRelease) {
  // Runs are resumed by seed and position: a change here changes their samples.
  const KeyedPermutation order(10, 42, 3);
  std::vector<std::int64_t> elements;
  for (std::int64_t i = 0; i < 10; ++i) {
    elements.push_back(order(i));
  }
  EXPECT_EQ(elements, (std::vector<std::int64_t>{8, 7, 2, 3, 9, 1, 0, 4, 6, 5}));
}

TEST(KeyedPermutation, WorksForLengthsThatNoListCouldHold) {
  const std::int64_t n = (std::int64_t{1} << 62) - 3;
  const KeyedPermutation order(n, 1, 0);
  for (std::int64_t i = 0; i < 100; ++i) {
    EXPECT_LT(order(n - 1 - i), n);
    EXPECT_NE(order(i), order(i + 1));
  }
  EXPECT_EQ(error_of([&] { static_cast<void>(order(n)); }).code(), Errc::kInvalidInput);
  EXPECT_EQ(error_of([] { KeyedPermutation(-1, 0, 0); }).code(), Errc::kInvalidInput);
}

/// Runs one epoch and returns the samples of each step in the order of groups, without null ones.
std::vector<std::vector<ScheduledSample>> epoch_of(const SampleSchedule& schedule,
                                                   std::int64_t epoch) {
  std::vector<std::vector<ScheduledSample>> steps;
  SchedulePosition at{epoch, 0};
  for (; at.epoch == epoch; at = schedule.after(at)) {
    auto& step = steps.emplace_back();
    for (int group = 0; group < schedule.options().num_groups; ++group) {
      const auto share = schedule.share(at, group);
      EXPECT_EQ(static_cast<std::int64_t>(share.size()), schedule.slots_per_group());
      for (const ScheduledSample& sample : share) {
        EXPECT_EQ(sample.weight, sample.is_null() ? 0 : 1);
        if (!sample.is_null()) {
          step.push_back(sample);
        }
      }
    }
  }
  EXPECT_EQ(at, (SchedulePosition{epoch + 1, 0}));
  return steps;
}

TEST(SampleSchedule, ShowsEverySampleOncePerEpochInAnOrderFreeOfGroups) {
  std::mt19937_64 random(2);
  for (int trial = 0; trial < 200; ++trial) {
    ScheduleOptions options;
    options.num_samples = static_cast<std::int64_t>(random() % 60 + 1);
    options.batch_size = static_cast<std::int64_t>(random() % 9 + 1);
    options.seed = random();
    options.shuffle = trial % 4 != 0;
    const SampleSchedule one(options);
    const auto expected = epoch_of(one, 5);
    EXPECT_EQ(static_cast<std::int64_t>(expected.size()), one.steps_per_epoch());
    std::vector<std::int64_t> indices;
    std::int64_t id = 5 * options.num_samples;
    for (const auto& step : expected) {
      for (const ScheduledSample& sample : step) {
        EXPECT_EQ(sample.id.value, id++);
        indices.push_back(sample.index);
      }
    }
    std::ranges::sort(indices);
    std::vector<std::int64_t> all(static_cast<std::size_t>(options.num_samples));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(indices, all);
    for (options.num_groups = 2; options.num_groups <= 7; ++options.num_groups) {
      EXPECT_EQ(epoch_of(SampleSchedule(options), 5), expected);
    }
  }
}

TEST(SampleSchedule, GoesOnFromAnyPositionWithAnotherBatchSize) {
  const SampleSchedule before({.num_samples = 39, .batch_size = 4, .num_groups = 2, .seed = 1});
  const SampleSchedule later({.num_samples = 39, .batch_size = 5, .num_groups = 3, .seed = 1});
  std::vector<std::int64_t> indices;
  const auto take = [&](const SampleSchedule& schedule, SchedulePosition at) {
    for (int group = 0; group < schedule.options().num_groups; ++group) {
      for (const ScheduledSample& sample : schedule.share(at, group)) {
        if (!sample.is_null()) {
          indices.push_back(sample.index);
        }
      }
    }
    return schedule.after(at);
  };
  SchedulePosition at;
  for (int step = 0; step < 3; ++step) {
    at = take(before, at);
  }
  EXPECT_EQ(at, (SchedulePosition{0, 12}));
  while (at.epoch == 0) {
    at = take(later, at);
  }
  const KeyedPermutation order(39, 1, 0);
  ASSERT_EQ(indices.size(), 39u);
  for (std::int64_t i = 0; i < 39; ++i) {
    EXPECT_EQ(indices[static_cast<std::size_t>(i)], order(i));
  }
}

TEST(SampleSchedule, RefusesWhatCannotBe) {
  EXPECT_EQ(error_of([] { SampleSchedule({.num_samples = 0}); }).code(), Errc::kInvalidInput);
  EXPECT_EQ(error_of([] { SampleSchedule({.num_samples = 3, .batch_size = 0}); }).code(),
            Errc::kInvalidInput);
  const SampleSchedule schedule({.num_samples = 3});
  EXPECT_EQ(error_of([&] { static_cast<void>(schedule.share({0, 3}, 0)); }).code(),
            Errc::kInvalidInput);
  EXPECT_EQ(error_of([&] { static_cast<void>(schedule.share({0, 0}, 1)); }).code(),
            Errc::kInvalidInput);
}

}  // namespace
}  // namespace askos::io
