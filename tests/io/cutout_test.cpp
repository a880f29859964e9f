// SPDX-License-Identifier: Apache-2.0
// A region set into a globe, read in shards, against reading both whole.
#include "io/datasets.hpp"

#include <askos/io/cutout.hpp>

#include <algorithm>
#include <set>

namespace askos::io {
namespace {

/// A grid of latitudes and longitudes, one cell a step.
DatasetInfo grid(comm::Range latitudes, comm::Range longitudes, std::int64_t step, int rows) {
  DatasetInfo info = describe({.rows = rows, .variables = 3, .ensembles = 2, .cells = 0});
  info.chunk_cells = 16;
  for (auto lat = latitudes.begin; lat <= latitudes.end; lat += step) {
    for (auto lon = longitudes.begin; lon < longitudes.end; lon += step) {
      info.latitudes.push_back(static_cast<double>(lat));
      info.longitudes.push_back(static_cast<double>(lon));
    }
  }
  return info;
}

/// Values of all cells of a row, [var, ens, cell] or [ens, cell, var].
template <typename Reader>
std::vector<float> read_row(Reader& reader,
                            std::int64_t row,
                            RowLayout layout = RowLayout::kVariableCell,
                            std::span<const Affine> normaliser = {}) {
  std::vector<float> values(static_cast<std::size_t>(reader.row_bytes(DType::kFloat32)) / 4);
  reader.read(row, {std::as_writable_bytes(std::span(values)), DType::kFloat32, layout},
              normaliser);
  return values;
}

class CutoutFiles : public ::testing::Test {
 protected:
  static constexpr int kRows = 4;

  CutoutFiles() {
    region_ = grid({40, 50}, {10, 20}, 1, kRows);       // 110 cells
    globe_ = grid({-75, 75}, {0, 360}, 15, kRows + 3);  // 264 cells
    globe_.first_time = parse_time("1996-01-04 18:00");
    write_dataset(folder_ / "region.h5", region_, {2});
    write_dataset(folder_ / "globe.h5", globe_, {2});  // the region's row 1
  }

  [[nodiscard]] std::shared_ptr<const Cutout> open(double distance = 3) const {
    return std::make_shared<const Cutout>(DatasetIndex::open(folder_ / "region.h5"),
                                          DatasetIndex::open(folder_ / "globe.h5"), distance);
  }

  TemporaryFolder folder_;
  DatasetInfo region_;
  DatasetInfo globe_;
};

TEST_F(CutoutFiles, LeavesOutTheGlobeWhereTheRegionIs) {
  const auto cutout = open();
  const auto& info = cutout->info();
  EXPECT_EQ(cutout->num_region_cells(), 110);
  const std::set<std::int64_t> left_out = [&] {
    std::set<std::int64_t> all;
    for (std::int64_t cell = 0; cell < globe_.num_cells(); ++cell) all.insert(cell);
    for (const auto cell : cutout->globe_cells()) all.erase(cell);
    return all;
  }();
  ASSERT_EQ(left_out.size(), 1U);  // 45 N 15 E
  const auto cell = static_cast<std::size_t>(*left_out.begin());
  EXPECT_EQ(globe_.latitudes[cell], 45);
  EXPECT_EQ(globe_.longitudes[cell], 15);
  EXPECT_EQ(info.num_cells(), 110 + 264 - 1);
  EXPECT_EQ(info.latitudes[0], 40);
  EXPECT_EQ(info.latitudes[110], -75);
  EXPECT_EQ(open(12)->globe_cells().size(), 264U - 7);  // its neighbours, too
}

TEST_F(CutoutFiles, ReadsTheBytesOfTheWholeInAnyNumberOfShards) {
  const auto cutout = open();
  const auto num_cells = cutout->info().num_cells();
  // The whole, put together cell by cell: the value of a cell depends on its place in its file.
  std::vector<std::int64_t> places;
  for (std::int64_t cell = 0; cell < 110; ++cell) places.push_back(cell);
  places.insert(places.end(), cutout->globe_cells().begin(), cutout->globe_cells().end());
  constexpr std::int64_t kRow = 3;
  const std::vector<Affine> lines{{2, 1}, {0.5, -3}, {1, 0}};
  for (const bool check_crc : {true, false}) {
    for (const int shards : {1, 2, 3, 4, 5, 16}) {
      for (int i = 0; i < shards; ++i) {
        const comm::Range own = comm::balanced_range(num_cells, shards, i);
        CutoutReader reader(cutout, own, {.check_crc = check_crc, .retry = {}});
        reader.prefetch(kRow);
        const auto plain = read_row(reader, kRow);
        const auto turned = read_row(reader, kRow, RowLayout::kCellVariable, lines);
        const auto n = static_cast<std::size_t>(own.size());
        for (std::size_t v = 0; v < 3; ++v) {
          for (std::size_t e = 0; e < 2; ++e) {
            for (std::size_t c = 0; c < n; ++c) {
              const auto cell = own.begin + static_cast<std::int64_t>(c);
              const float value =
                  value_at(cell < 110 ? kRow : kRow + 1, static_cast<std::int64_t>(v),
                           static_cast<std::int64_t>(e), places[static_cast<std::size_t>(cell)]);
              ASSERT_EQ(plain[(v * 2 + e) * n + c], value);
              ASSERT_EQ(turned[(e * n + c) * 3 + v], static_cast<float>(lines[v](value)));
            }
          }
        }
      }
    }
  }
}

TEST_F(CutoutFiles, ReadsOfEachMemberNoMoreThanItsChunksInTheShard) {
  const auto cutout = open();
  const auto num_cells = cutout->info().num_cells();
  const std::int64_t chunk_bytes = cutout->globe().layout().chunk_bytes();
  constexpr int kShards = 5;
  std::int64_t useful = 0;
  for (int i = 0; i < kShards; ++i) {
    CutoutReader reader(cutout, comm::balanced_range(num_cells, kShards, i));
    (void)read_row(reader, 0);
    useful += reader.counters().useful_bytes;
    // The rest of a chunk at both ends of each member, and the cell that is left out.
    EXPECT_LE(reader.counters().extra_bytes, 4 * chunk_bytes + 3 * 2 * 4) << "shard " << i;
    EXPECT_EQ(reader.counters().rows, 1);
  }
  EXPECT_EQ(useful, num_cells * 3 * 2 * 4);
}

TEST_F(CutoutFiles, OpensAMemberOnlyIfItIsInTheShard) {
  const auto cutout = open();
  std::filesystem::remove(folder_ / "globe.h5");
  CutoutReader reader(cutout, {5, 100});
  EXPECT_EQ(read_row(reader, 0), row_values(region_, 0, {5, 100}));
  EXPECT_THROW(CutoutReader(cutout, {100, 120}), Error);
}

TEST_F(CutoutFiles, HasTheRowsThatBothHave) {
  const auto cutout = open();
  EXPECT_TRUE(cutout->row_present(0));
  EXPECT_FALSE(cutout->row_present(1));
  EXPECT_FALSE(cutout->row_present(2));
  EXPECT_TRUE(cutout->row_present(3));
}

TEST_F(CutoutFiles, AreRefusedUnlessTheyFitTogether) {
  auto info = globe_;
  info.variables[1].unit = "Pa";
  write_dataset(folder_ / "globe.h5", info);
  const Error unit = error_of([&] { (void)open(); });
  EXPECT_EQ(unit.code(), Errc::kInvalidInput);
  EXPECT_NE(std::string(unit.what()).find("'v1' in m s-1"), std::string::npos) << unit.what();

  info = globe_;
  info.step = std::chrono::hours(3);
  write_dataset(folder_ / "globe.h5", info);
  EXPECT_EQ(error_of([&] { (void)open(); }).code(), Errc::kInvalidInput);

  info = globe_;
  info.num_rows = kRows;  // ends before the region does
  write_dataset(folder_ / "globe.h5", info);
  EXPECT_EQ(error_of([&] { (void)open(); }).code(), Errc::kNotFound);
}

TEST_F(CutoutFiles, RefuseAShardOutsideTheGrid) {
  const auto cutout = open();
  const auto end = cutout->info().num_cells();
  EXPECT_THROW(CutoutReader(cutout, {-1, 3}), Error);
  EXPECT_THROW(CutoutReader(cutout, {3, 3}), Error);
  EXPECT_THROW(CutoutReader(cutout, {3, end + 1}), Error);
}

}  // namespace
}  // namespace askos::io
