// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"
#include "row_transform.hpp"

#include <askos/io/hooked_file_operations.hpp>
#include <askos/io/shard_reader.hpp>

#include <barrier>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <thread>

namespace askos::io {
namespace {

const std::vector<Affine> kLines{{2, 1}, {0.5, -3}, {1, 0}};

double expected_value(std::int64_t row, std::int64_t var, std::int64_t ens, std::int64_t cell) {
  return kLines[static_cast<std::size_t>(var)](value_at(row, var, ens, cell));
}

template <typename T>
std::vector<T> read_row(ShardReader& reader,
                        std::int64_t row,
                        DType dtype,
                        RowLayout layout = RowLayout::kVariableCell,
                        std::span<const Affine> normaliser = {}) {
  std::vector<T> values(static_cast<std::size_t>(reader.row_bytes(dtype)) / sizeof(T));
  reader.read(row, {std::as_writable_bytes(std::span(values)), dtype, layout}, normaliser);
  return values;
}

class ShardReaderFile : public ::testing::Test {
 protected:
  static constexpr std::int64_t kRows = 4;
  static constexpr std::int64_t kCells = 151;  // a prime: shards and chunks never agree

  ShardReaderFile() {
    info_ = describe({.rows = kRows, .variables = 3, .ensembles = 2, .cells = kCells});
    write_dataset(folder_ / "x.h5", info_, {1});
    index_ = DatasetIndex::open(folder_ / "x.h5");
  }

  TemporaryFolder folder_;
  DatasetInfo info_;
  std::shared_ptr<const DatasetIndex> index_;
};

TEST_F(ShardReaderFile, DeliversTheBytesOfTheFileForAnyNumberOfShards) {
  for (const bool check_crc : {true, false}) {
    for (const int shards : {1, 2, 3, 4, 6, 8, 16}) {
      for (int i = 0; i < shards; ++i) {
        const comm::Range cells = comm::balanced_range(kCells, shards, i);
        ShardReader reader(index_, cells, {.check_crc = check_crc, .retry = {}});
        reader.prefetch(3);
        EXPECT_EQ(read_row<float>(reader, 3, DType::kFloat32), row_values(info_, 3, cells));
      }
    }
  }
}

TEST_F(ShardReaderFile, NormalisesCastsAndTransposesInOnePass) {
  const comm::Range cells{13, 121};
  const std::int64_t n = cells.size();
  ShardReader reader(index_, cells);
  const auto plain = read_row<double>(reader, 2, DType::kFloat64, RowLayout::kVariableCell, kLines);
  const auto turned =
      read_row<double>(reader, 2, DType::kFloat64, RowLayout::kCellVariable, kLines);
  const auto singles =
      read_row<float>(reader, 2, DType::kFloat32, RowLayout::kCellVariable, kLines);
  const auto halves =
      read_row<std::uint16_t>(reader, 2, DType::kBFloat16, RowLayout::kCellVariable, kLines);
  for (std::int64_t var = 0; var < 3; ++var) {
    for (std::int64_t ens = 0; ens < 2; ++ens) {
      for (std::int64_t cell = 0; cell < n; ++cell) {
        const double expected = expected_value(2, var, ens, cells.begin + cell);
        const auto as_stored = static_cast<std::size_t>((var * 2 + ens) * n + cell);
        const auto as_wanted = static_cast<std::size_t>((ens * n + cell) * 3 + var);
        EXPECT_EQ(plain[as_stored], expected);
        EXPECT_EQ(turned[as_wanted], expected);
        EXPECT_EQ(singles[as_wanted], static_cast<float>(expected));  // exact: few bits
        const float widened =
            std::bit_cast<float>(static_cast<std::uint32_t>(halves[as_wanted]) << 16);
        EXPECT_NEAR(widened, expected, std::abs(expected) / 256);  // bfloat16 keeps 8 bits
      }
    }
  }
}

TEST_F(ShardReaderFile, TransposesManyVariablesAsItTransposesFew) {
  constexpr std::int64_t kVariables = 19;  // two groups of eight and a rest
  const auto path = folder_ / "many.h5";
  write_dataset(path, describe({.rows = 1, .variables = kVariables, .cells = kCells}));
  std::vector<Affine> lines;
  for (std::int64_t var = 0; var < kVariables; ++var) {
    lines.push_back({1 + 0.5 * static_cast<double>(var), static_cast<double>(var) - 3});
  }
  const comm::Range cells{5, 148};
  ShardReader reader(DatasetIndex::open(path), cells);
  const auto rows = read_row<float>(reader, 0, DType::kFloat32, RowLayout::kVariableCell, lines);
  const auto turned = read_row<float>(reader, 0, DType::kFloat32, RowLayout::kCellVariable, lines);
  for (std::int64_t var = 0; var < kVariables; ++var) {
    for (std::int64_t cell = 0; cell < cells.size(); ++cell) {
      EXPECT_EQ(turned[static_cast<std::size_t>(cell * kVariables + var)],
                rows[static_cast<std::size_t>(var * cells.size() + cell)]);
    }
  }
}

TEST_F(ShardReaderFile, ReadsItsShardAndAtMostOneChunkTooMuchAtEachEdge) {
  const FieldLayout layout = index_->layout();
  for (const int shards : {1, 2, 3, 5}) {
    for (int i = 0; i < shards; ++i) {
      const comm::Range cells = comm::balanced_range(kCells, shards, i);
      for (const bool check_crc : {true, false}) {
        ShardReader reader(index_, cells, {.check_crc = check_crc, .retry = {}});
        static_cast<void>(read_row<float>(reader, 0, DType::kFloat32));
        static_cast<void>(read_row<float>(reader, 0, DType::kFloat32, RowLayout::kCellVariable));
        const ReadCounters& counters = reader.counters();
        EXPECT_EQ(counters.rows, 2);
        EXPECT_EQ(counters.useful_bytes, 2 * reader.row_bytes(DType::kFloat32));
        EXPECT_LE(counters.extra_bytes, check_crc ? 2 * 2 * layout.chunk_bytes() : 0);
      }
    }
  }
}

TEST_F(ShardReaderFile, ManyThreadsReadOneIndexWhileOthersOpenIt) {
  constexpr int kThreads = 6;
  std::barrier start(kThreads);
  std::vector<int> wrong(kThreads, 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const comm::Range cells = comm::balanced_range(kCells, kThreads, i);
      start.arrive_and_wait();
      for (int round = 0; round < 5; ++round) {
        ShardReader reader(i % 2 == 0 ? index_ : DatasetIndex::open(folder_ / "x.h5"), cells);
        for (const std::int64_t row : {0, 2, 3}) {
          wrong[static_cast<std::size_t>(i)] +=
              read_row<float>(reader, row, DType::kFloat32) == row_values(info_, row, cells) ? 0
                                                                                             : 1;
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, std::vector<int>(kThreads, 0));
}

TEST_F(ShardReaderFile, RefusesRowsThatAreNotThere) {
  ShardReader reader(index_, {0, 10});
  for (const std::int64_t row : {-1L, 1L, kRows}) {
    EXPECT_EQ(error_of([&] { read_row<float>(reader, row, DType::kFloat32); }).code(),
              Errc::kNotFound);
  }
}

TEST_F(ShardReaderFile, RefusesMemoryDtypesAndNormalisersThatDoNotFit) {
  ShardReader reader(index_, {0, 10});
  std::vector<std::byte> memory(8);
  EXPECT_EQ(error_of([&] { reader.read(0, {memory}); }).code(), Errc::kShapeMismatch);
  EXPECT_EQ(error_of([&] { read_row<int>(reader, 0, DType::kInt32); }).code(), Errc::kTypeMismatch);
  const std::vector<Affine> two(2);
  EXPECT_EQ(error_of([&] {
              read_row<float>(reader, 0, DType::kFloat32, RowLayout::kVariableCell, two);
            }).code(),
            Errc::kShapeMismatch);
  EXPECT_EQ(error_of([&] { ShardReader(index_, {5, 5}); }).code(), Errc::kInvalidInput);
  EXPECT_EQ(error_of([&] { ShardReader(index_, {0, kCells + 1}); }).code(), Errc::kInvalidInput);
}

TEST(RowTransform, BothPathsAgree) {
  std::mt19937 random(6);
  std::vector<float> values(1003);
  for (float& value : values) {
    value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
  }
  values[17] = std::nanf("");
  values[18] = -HUGE_VALF;
  const Strip strip{values.data(), 1003, 0.37F, -1.25F, 0.37, -1.25};
  for (const std::int64_t stride : {1, 3}) {
    std::vector<float> wide(3 * values.size());
    std::vector<float> plain(3 * values.size());
    const auto strange = transform_strip(strip, DType::kFloat32,
                                         std::as_writable_bytes(std::span(wide)).data(), stride);
    EXPECT_EQ(transform_strip_portable(strip, DType::kFloat32,
                                       std::as_writable_bytes(std::span(plain)).data(), stride),
              strange);
    EXPECT_GE(strange, 2);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float a = wide[i * static_cast<std::size_t>(stride)];
      const float b = plain[i * static_cast<std::size_t>(stride)];
      // With FMA the product is not rounded; both round their sum: half a unit each.
      const float tolerance = (std::abs(values[i] * strip.scale) + std::abs(a)) * 0x1p-23F;
      EXPECT_TRUE(a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= tolerance)
          << values[i];
    }
    std::vector<std::uint16_t> wide_halves(values.size());
    std::vector<std::uint16_t> plain_halves(values.size());
    const Strip as_it_is{values.data(), 1003, 1, -0.0F};
    static_cast<void>(transform_strip(as_it_is, DType::kBFloat16,
                                      std::as_writable_bytes(std::span(wide_halves)).data(), 1));
    static_cast<void>(transform_strip_portable(
        as_it_is, DType::kBFloat16, std::as_writable_bytes(std::span(plain_halves)).data(), 1));
    EXPECT_EQ(wide_halves, plain_halves);
  }
}

TEST(RowTransform, EightStripsSideBySideHaveTheBitsOfEachAlone) {
  constexpr std::int64_t kCount = 43;  // five blocks of eight and a rest
  constexpr std::int64_t kStride = 11;
  std::mt19937 random(7);
  std::vector<float> values(8 * kCount);
  for (float& value : values) {
    value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
  }
  values[5] = std::nanf("");
  values[8 * kCount - 1] = HUGE_VALF;
  std::array<Strip, 8> strips;
  std::vector<float> alone(kCount * kStride);
  std::int64_t strange = 0;
  for (std::size_t k = 0; k < strips.size(); ++k) {
    strips[k] = {.from = values.data() + k * kCount,
                 .count = kCount,
                 .scale = 0.37F + static_cast<float>(k),
                 .offset = -1.25F};
    strange += transform_strip(strips[k], DType::kFloat32,
                               std::as_writable_bytes(std::span(alone)).data() + k * sizeof(float),
                               kStride);
  }
  std::vector<float> together(alone.size());
  EXPECT_EQ(transform_eight_strips(strips, together.data(), kStride), strange);
  EXPECT_GE(strange, 2);
  EXPECT_TRUE(
      std::ranges::equal(std::as_bytes(std::span(together)), std::as_bytes(std::span(alone))));
}

TEST(RowTransform, RoundsBfloat16ToNearestEven) {
  const std::vector<std::pair<std::uint32_t, std::uint16_t>> cases{
      {0x3F800000, 0x3F80},   // 1
      {0x3F808000, 0x3F80},   // halfway, even below
      {0x3F818000, 0x3F82},   // halfway, even above
      {0x3F808001, 0x3F81},   // above halfway
      {0x7F7FFFFF, 0x7F80},   // the largest float rounds to infinity
      {0xFF800000, 0xFF80},   // -infinity
      {0x7F800001, 0x7FC0},   // a signalling NaN stays a NaN
      {0x80000000, 0x8000}};  // -0
  for (const auto& [bits, expected] : cases) {
    const auto value = std::bit_cast<float>(bits);
    std::uint16_t found = 0;
    static_cast<void>(
        transform_strip({&value, 1}, DType::kBFloat16, reinterpret_cast<std::byte*>(&found), 1));
    EXPECT_EQ(found, expected) << std::hex << bits;
  }
}

TEST(Normaliser, IsALinePerVariable) {
  DatasetInfo info = describe({.variables = 2});
  info.variables[0].statistics = {10, 2, 4, 20};
  info.variables[1].statistics = {-1, 4, -8, 8};
  const auto mean_std = make_normaliser(info);
  EXPECT_EQ(mean_std[0](10), 0);
  EXPECT_EQ(mean_std[0](12), 1);
  EXPECT_EQ(mean_std[1](3), 1);
  const auto others = make_normaliser(info, Normalisation::kMinMax, {{"v1", Normalisation::kMax}});
  EXPECT_EQ(others[0](4), 0);
  EXPECT_EQ(others[0](20), 1);
  EXPECT_EQ(others[1](8), 1);
  EXPECT_EQ(make_normaliser(info, Normalisation::kStd)[0](2), 1);
  EXPECT_EQ(make_normaliser(info, Normalisation::kNone)[0], Affine{});
  EXPECT_EQ(mean_std[0].inverse()(mean_std[0](7.5)), 7.5);
  for (const char* name : {"mean-std", "std", "min-max", "max", "none"}) {
    EXPECT_EQ(to_string(parse_normalisation(name)), name);
  }
}

TEST(Normaliser, RefusesAConstantVariableAndUnknownNames) {
  DatasetInfo info = describe({.variables = 2});
  info.variables[0].statistics = {10, 2, 4, 20};
  info.variables[1].statistics = {3, 0, 3, 3};
  const Error error = error_of([&] { static_cast<void>(make_normaliser(info)); });
  EXPECT_EQ(error.code(), Errc::kInvalidInput);
  EXPECT_NE(std::string(error.what()).find("variable=v1"), std::string::npos);
  EXPECT_EQ(error_of([&] {
              static_cast<void>(
                  make_normaliser(info, Normalisation::kNone, {{"v2", Normalisation::kMax}}));
            }).code(),
            Errc::kNotFound);
  EXPECT_EQ(error_of([] { static_cast<void>(parse_normalisation("zscore")); }).code(),
            Errc::kInvalidInput);
}

TEST(ShardReader, CountsNaNsWhereTheyAreAllowed) {
  const TemporaryFolder folder;
  DatasetInfo info = describe({.rows = 1, .variables = 2, .cells = 40});
  info.variables[1].allow_nans = true;
  {
    DatasetWriter writer(folder / "x.h5", info);
    ShardWriter shard(writer.plan(), {0, 40});
    auto values = row_values(info, 0, {0, 40});
    values[40 + 5] = std::nanf("");
    values[40 + 39] = -std::nanf("");
    shard.write_row(0, values);
    const ShardResult result = shard.finish();
    writer.finish({&result, 1});
  }
  ShardReader reader(DatasetIndex::open(folder / "x.h5"), {0, 20});
  const auto values = read_row<float>(reader, 0, DType::kFloat32);
  EXPECT_TRUE(std::isnan(values[20 + 5]));
  EXPECT_EQ(reader.counters().nans, 1);
}

TEST(ShardReader, ReadsAheadOnlyWhatItWillRead) {
  const TemporaryFolder folder;
  write_dataset(folder / "x.h5", describe({.rows = 2, .variables = 3, .cells = 151}));
  const auto index = DatasetIndex::open(folder / "x.h5");
  for (const bool check_crc : {true, false}) {
    for (const RowLayout layout : {RowLayout::kVariableCell, RowLayout::kCellVariable}) {
      std::int64_t read_bytes = 0;
      std::int64_t announced_bytes = 0;
      HookedFileOperations operations([&](const HookedFileOperations::Call& call) {
        (call.name == "will_need" ? announced_bytes : read_bytes) += call.size_bytes;
        return 0;
      });
      ShardReader reader(index, {7, 101}, {.check_crc = check_crc, .retry = {}}, operations);
      reader.prefetch(1);
      static_cast<void>(read_row<float>(reader, 1, DType::kFloat32, layout));
      EXPECT_EQ(announced_bytes, read_bytes);
      EXPECT_EQ(read_bytes, reader.counters().useful_bytes + reader.counters().extra_bytes);
    }
  }
}

}  // namespace
}  // namespace askos::io
