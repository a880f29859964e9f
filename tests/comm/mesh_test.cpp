// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/mesh.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>

namespace askos::comm {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Mesh, PutsAllRanksIntoOneModelByDefault) {
  const Mesh mesh({.num_ranks = 3}, 1);
  EXPECT_THAT(mesh.model().ranks, ElementsAre(0, 1, 2));
  EXPECT_THAT(mesh.readers().ranks, ElementsAre(0, 1, 2));
  EXPECT_THAT(mesh.ensemble().ranks, ElementsAre(0, 1, 2));
  EXPECT_THAT(mesh.data_parallel().ranks, ElementsAre(1));
  EXPECT_THAT(mesh.ensemble_members().ranks, ElementsAre(1));
  EXPECT_EQ(mesh.options().num_ranks_per_ensemble, 3);
}

// 16 ranks, 4 per model, 2 readers, 8 per ensemble; rank 13 is rank 1 of model 3. Worked by hand.
TEST(Mesh, PlacesRankThirteenOfSixteen) {
  const Mesh mesh({.num_ranks = 16,
                   .num_ranks_per_model = 4,
                   .num_readers_per_model = 2,
                   .num_ranks_per_ensemble = 8,
                   .keep_batch_sharded = false},
                  13);
  using Group = Mesh::Group;
  EXPECT_EQ(mesh.model(), (Group{3, 4, 1, {12, 13, 14, 15}}));
  EXPECT_EQ(mesh.readers(), (Group{6, 8, 1, {12, 13}}));
  EXPECT_EQ(mesh.data_parallel(), (Group{1, 4, 3, {1, 5, 9, 13}}));
  EXPECT_EQ(mesh.ensemble(), (Group{1, 2, 5, {8, 9, 10, 11, 12, 13, 14, 15}}));
  EXPECT_EQ(mesh.ensemble_members(), (Group{5, 8, 1, {9, 13}}));
}

using Select = std::function<const Mesh::Group&(const Mesh&)>;

/// Checks that the groups of one kind, as each rank sees them, are one partition of all ranks.
void expect_partition(const std::vector<Mesh>& ranks, int size, int stride, const Select& select) {
  std::map<int, Mesh::Group> groups;
  for (const Mesh& mesh : ranks) {
    const Mesh::Group& group = select(mesh);
    ASSERT_EQ(group.size(), size);
    ASSERT_GE(group.index, 0);
    ASSERT_LT(group.index, group.num_groups);
    ASSERT_EQ(group.num_groups * size, static_cast<int>(ranks.size()));
    ASSERT_EQ(group.ranks.at(static_cast<std::size_t>(group.rank)), mesh.rank());
    const auto& known = groups.emplace(group.index, group).first->second;
    EXPECT_EQ(known.ranks, group.ranks) << "members disagree about group " << group.index;
    for (std::size_t i = 1; i < group.ranks.size(); ++i) {
      EXPECT_EQ(group.ranks[i] - group.ranks[i - 1], stride);
    }
  }
  std::set<int> members;
  for (const auto& [index, group] : groups) {
    members.insert(group.ranks.begin(), group.ranks.end());
  }
  EXPECT_EQ(members.size(), ranks.size());
}

TEST(Mesh, EveryKindOfGroupPartitionsTheRanks) {
  int num_meshes = 0;
  for (const int per_model : {1, 2, 3, 4, 6, 8}) {
    for (int readers = 1; readers <= per_model; ++readers) {
      for (const int models_per_ensemble : {1, 2, 3}) {
        for (const int ensembles : {1, 2, 5}) {
          if (per_model % readers != 0) {
            continue;
          }
          const int per_ensemble = per_model * models_per_ensemble;
          const int num_ranks = per_ensemble * ensembles;
          std::vector<Mesh> ranks;
          for (int rank = 0; rank < num_ranks; ++rank) {
            ranks.emplace_back(MeshOptions{.num_ranks = num_ranks,
                                           .num_ranks_per_model = per_model,
                                           .num_readers_per_model = readers,
                                           .num_ranks_per_ensemble = per_ensemble,
                                           .keep_batch_sharded = readers == per_model},
                               rank);
          }
          expect_partition(ranks, per_model, 1, &Mesh::model);
          expect_partition(ranks, readers, 1, &Mesh::readers);
          expect_partition(ranks, per_ensemble, 1, &Mesh::ensemble);
          expect_partition(ranks, num_ranks / per_model, per_model, &Mesh::data_parallel);
          expect_partition(ranks, models_per_ensemble, per_model, &Mesh::ensemble_members);
          ++num_meshes;
        }
      }
    }
  }
  EXPECT_GT(num_meshes, 100);
}

std::string refusal(const MeshOptions& options, int rank = 0) {
  try {
    const Mesh mesh(options, rank);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::kInvalidInput);
    return error.what();
  }
  return "accepted";
}

TEST(Mesh, NamesEachViolatedConstraintWithItsNumbers) {
  EXPECT_THAT(refusal({.num_ranks = 6, .num_ranks_per_model = 4}),
              HasSubstr("num_ranks='6, must be a multiple of num_ranks_per_model 4'"));
  EXPECT_THAT(refusal({.num_ranks = 4, .num_readers_per_model = 3, .keep_batch_sharded = false}),
              HasSubstr("num_ranks_per_model='4, must be a multiple of num_readers_per_model 3'"));
  EXPECT_THAT(refusal({.num_ranks = 8, .num_ranks_per_model = 2, .num_ranks_per_ensemble = 6}),
              HasSubstr("num_ranks='8, must be a multiple of num_ranks_per_ensemble 6'"));
  EXPECT_THAT(refusal({.num_ranks = 12, .num_ranks_per_model = 4, .num_ranks_per_ensemble = 6}),
              HasSubstr("num_ranks_per_ensemble='6, must be a multiple of num_ranks_per_model 4'"));
  EXPECT_THAT(refusal({.num_ranks = 4, .num_readers_per_model = 2}),
              HasSubstr("num_readers_per_model='2, must equal num_ranks_per_model 4"));
  EXPECT_THAT(refusal({.num_ranks = 4}, 4), HasSubstr("rank='4, must be below num_ranks 4"));
  EXPECT_THAT(refusal({.num_ranks = 4}, -1), HasSubstr("rank='-1, must be below num_ranks 4"));
  EXPECT_THAT(refusal({.num_ranks = 0}), HasSubstr("num_ranks='0, must be at least 1'"));
  EXPECT_THAT(refusal({.num_ranks = 2, .num_ranks_per_model = -2}),
              HasSubstr("num_ranks_per_model='-2, must be at least 1'"));
}

TEST(Mesh, ListsAllViolatedConstraintsAtOnce) {
  const auto message = refusal({.num_ranks = 10,
                                .num_ranks_per_model = 4,
                                .num_readers_per_model = 3,
                                .num_ranks_per_ensemble = 6},
                               12);
  EXPECT_THAT(message, AllOf(HasSubstr("multiple of num_ranks_per_model 4"),
                             HasSubstr("multiple of num_readers_per_model 3"),
                             HasSubstr("multiple of num_ranks_per_ensemble 6"),
                             HasSubstr("num_ranks_per_ensemble='6, must"),
                             HasSubstr("to keep the batch sharded"), HasSubstr("rank='12, must")));
}

TEST(Mesh, ReportsNoConstraintThatHolds) {
  const auto message = refusal({.num_ranks = 6, .num_ranks_per_model = 4});
  EXPECT_THAT(message, Not(HasSubstr("num_readers_per_model")));
  EXPECT_THAT(message, Not(HasSubstr(", rank=")));
}

}  // namespace
}  // namespace askos::comm
