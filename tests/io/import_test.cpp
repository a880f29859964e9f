// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"
#include "io/netcdf_sample.hpp"
#include "io/storm.hpp"

#include <askos/io/import.hpp>
#include <askos/io/shard_reader.hpp>
#include <askos/io/verify.hpp>

#include <cmath>

namespace askos::io {
namespace {

constexpr std::int64_t kTimes = 4;
constexpr std::int64_t kLats = 3;
constexpr std::int64_t kLons = 5;
constexpr double kFill = -32767;

double truth(std::int64_t time, std::int64_t lat, std::int64_t lon) {
  return 250 + static_cast<double>(time * 16 + lat * 4) + 0.25 * static_cast<double>(lon);
}

struct SampleOptions {
  bool netcdf4 = false;
  bool packed = false;
  std::vector<std::string> order{"time", "lat", "lon"};
  std::vector<double> times{0, 6, 12, 18};
  std::string time_units = "hours since 2001-02-28 12:00";
  bool with_level = false;
};

/// A file with one variable `temp`; the cell (1, 2) is missing always, time 2 is missing
/// altogether.
void write_sample(const std::filesystem::path& path, const SampleOptions& options) {
  NetcdfSample file(path, options.netcdf4);
  std::map<std::string, int> dimensions{
      {"time", file.dimension("time", options.times.size())},
      {"lat", file.dimension("lat", kLats)},
      {"lon", file.dimension("lon", kLons)},
  };
  std::vector<int> ids;
  for (const std::string& name : options.order) {
    ids.push_back(dimensions.at(name));
  }
  if (options.with_level) {
    ids.insert(ids.begin() + 1, file.dimension("level", 2));
  }
  const int time = file.variable("time", NC_DOUBLE, {dimensions["time"]});
  file.text(time, "units", options.time_units);
  const int lat = file.variable("lat", NC_FLOAT, {dimensions["lat"]});
  const int lon = file.variable("lon", NC_FLOAT, {dimensions["lon"]});
  const int temp = file.variable("temp", options.packed ? NC_SHORT : NC_FLOAT, ids);
  file.text(temp, "units", "K");
  file.number(temp, "_FillValue", options.packed ? NC_SHORT : NC_FLOAT, kFill);
  if (options.packed) {
    file.number(temp, "scale_factor", NC_DOUBLE, 0.25);
    file.number(temp, "add_offset", NC_DOUBLE, 200);
  }
  file.values_follow();
  file.put(time, options.times);
  file.put(lat, {50, 45, 40});
  file.put(lon, {0, 5, 10, 15, 20});
  std::vector<double> values;
  const std::map<std::string, std::int64_t> lengths{
      {"time", static_cast<std::int64_t>(options.times.size())}, {"lat", kLats}, {"lon", kLons}};
  std::map<std::string, std::int64_t> at;
  const auto& order = options.order;
  for (at[order[0]] = 0; at[order[0]] < lengths.at(order[0]); ++at[order[0]]) {
    for (int level = 0; level < (options.with_level ? 2 : 1); ++level) {
      for (at[order[1]] = 0; at[order[1]] < lengths.at(order[1]); ++at[order[1]]) {
        for (at[order[2]] = 0; at[order[2]] < lengths.at(order[2]); ++at[order[2]]) {
          const bool missing = at["time"] == 2 || (at["lat"] == 1 && at["lon"] == 2);
          const double value = truth(at["time"], at["lat"], at["lon"]) + 1000 * level;
          values.push_back(missing ? kFill : options.packed ? (value - 200) / 0.25 : value);
        }
      }
    }
  }
  file.put(temp, values);
}

ImportRecipe recipe_for(const std::filesystem::path& folder, const std::string& file) {
  ImportRecipe recipe;
  recipe.folder = folder;
  recipe.axes = {"time", "lat", "lon"};
  ImportVariable variable;
  variable.name = "t";
  variable.file = file;
  variable.source = "temp";
  recipe.variables = {variable};
  return recipe;
}

/// Checks that the dataset holds `truth` wherever it is valid.
void expect_truth(const std::filesystem::path& path, double shift = 0) {
  const auto index = DatasetIndex::open(path);
  const DatasetInfo& info = index->info();
  ASSERT_EQ(info.num_cells(), kLats * kLons - 1);
  EXPECT_EQ(info.first_time, parse_time("2001-02-28T12:00"));
  EXPECT_EQ(info.step, std::chrono::hours(6));
  EXPECT_EQ(info.variables[0].unit, "K");
  EXPECT_EQ(index->rows_present(), (std::vector<std::uint8_t>{1, 1, 0, 1}));
  ShardReader reader(index, {0, info.num_cells()});
  std::vector<float> row(static_cast<std::size_t>(info.num_cells()));
  for (const std::int64_t time : {0, 1, 3}) {
    reader.read(time, {std::as_writable_bytes(std::span(row))});
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::int64_t lat = info.grid_cells[i] / kLons;
      const std::int64_t lon = info.grid_cells[i] % kLons;
      EXPECT_EQ(row[i], truth(time, lat, lon) + shift);
      EXPECT_EQ(info.latitudes[i], 50 - 5 * lat);
      EXPECT_EQ(info.longitudes[i], 5 * lon);
    }
  }
  EXPECT_TRUE(verify_dataset(path).ok());
}

TEST(Import, ReadsBothKindsOfFilesPackedOrNotInAnyOrderOfAxes) {
  const TemporaryFolder folder;
  for (const bool netcdf4 : {false, true}) {
    for (const bool packed : {false, true}) {
      for (const auto& order : std::vector<std::vector<std::string>>{{"time", "lat", "lon"},
                                                                     {"time", "lon", "lat"},
                                                                     {"lat", "time", "lon"},
                                                                     {"lon", "lat", "time"}}) {
        write_sample(folder / "in.nc", {.netcdf4 = netcdf4, .packed = packed, .order = order});
        const ImportReport report =
            import_netcdf(recipe_for(folder.path(), "in.nc"), folder / "out.h5");
        EXPECT_EQ(report.missing_rows, std::vector<Time>{parse_time("2001-03-01T00:00")});
        expect_truth(folder / "out.h5");
      }
    }
  }
}

TEST(Import, SelectsAnIndexOfAFurtherDimension) {
  const TemporaryFolder folder;
  write_sample(folder / "in.nc", {.with_level = true});
  ImportRecipe recipe = recipe_for(folder.path(), "in.nc");
  const Error error = error_of([&] { import_netcdf(recipe, folder / "out.h5"); });
  EXPECT_EQ(error.code(), Errc::kShapeMismatch);
  EXPECT_NE(std::string(error.what()).find("dimension=level"), std::string::npos);
  recipe.variables[0].select = {{"level", 1}};
  import_netcdf(recipe, folder / "out.h5");
  expect_truth(folder / "out.h5", 1000);
}

TEST(Import, TimesThatTheFileLeavesOutBecomeMissingRows) {
  const TemporaryFolder folder;
  write_sample(folder / "in.nc", {.times = {0, 6, 18, 30}});  // 12 and 24 h are left out
  const auto report = import_netcdf(recipe_for(folder.path(), "in.nc"), folder / "out.h5");
  EXPECT_EQ(report.num_rows, 6);
  EXPECT_EQ(DatasetIndex::open(folder / "out.h5")->rows_present(),
            (std::vector<std::uint8_t>{1, 1, 0, 0, 0, 1}));  // 18 h is the missing third time
}

TEST(Import, KeepsAllCellsAndTheirNaNsIfToldSo) {
  const TemporaryFolder folder;
  write_sample(folder / "in.nc", {});
  ImportRecipe recipe = recipe_for(folder.path(), "in.nc");
  recipe.mask = MaskRule::kAllCells;
  const Error error = error_of([&] { import_netcdf(recipe, folder / "out.h5"); });
  EXPECT_EQ(error.text(), "NaN where it is not allowed");
  recipe.variables[0].allow_nans = true;
  import_netcdf(recipe, folder / "out.h5");
  const auto index = DatasetIndex::open(folder / "out.h5");
  EXPECT_EQ(index->info().num_cells(), kLats * kLons);
  EXPECT_EQ(index->nan_count(0, 0), 1u);
  EXPECT_EQ(index->nan_count(2, 0), 15u);
}

TEST(Import, ValuesThatWereNeverWrittenAreMissing) {
  const TemporaryFolder folder;
  {
    NetcdfSample file(folder / "in.nc", false);
    const int time = file.dimension("time", 2);
    const int cell = file.dimension("cell", 3);
    const int lat = file.variable("lat", NC_FLOAT, {cell});
    const int lon = file.variable("lon", NC_FLOAT, {cell});
    const int temp = file.variable("temp", NC_FLOAT, {time, cell});
    file.text(temp, "units", "K");
    file.values_follow();
    file.put(lat, {1, 2, 3});
    file.put(lon, {4, 5, 6});
    file.put(temp, {280, 281, NC_FILL_FLOAT, 282, 283, NC_FILL_FLOAT});
  }
  ImportRecipe recipe = recipe_for(folder.path(), "in.nc");
  recipe.time = {parse_time("2001-01-01"), parse_step("6h")};
  EXPECT_EQ(import_netcdf(recipe, folder / "out.h5").num_cells, 2);
  EXPECT_EQ(DatasetIndex::open(folder / "out.h5")->info().grid_shape,
            std::vector<std::int64_t>{3});  // cells in one dimension are a grid, too
}

TEST(Import, NamesTheFileTheVariableAndTheNearestName) {
  const TemporaryFolder folder;
  write_sample(folder / "in.nc", {});
  ImportRecipe recipe = recipe_for(folder.path(), "in.nc");
  recipe.variables[0].source = "tempp";
  const Error error = error_of([&] { import_netcdf(recipe, folder / "out.h5"); });
  EXPECT_EQ(error.code(), Errc::kNotFound);
  EXPECT_EQ(std::string(error.what()),
            "NetCDF file has no such variable: file=" + (folder / "in.nc").string() +
                ", variable=tempp, nearest=temp");
  EXPECT_FALSE(std::filesystem::exists(folder / "out.h5"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out.h5.tmp"));
}

TEST(Import, RefusesFilesThatAreNotThereOrNotNetcdf) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_of([&] {
              import_netcdf(recipe_for(folder.path(), "none.nc"), folder / "out.h5");
            }).code(),
            Errc::kNotFound);
  {
    const File file(system_file_operations(), folder / "text.nc", OpenMode::kCreate);
    file.write(0, std::as_bytes(std::span("hello, not NetCDF")));
  }
  EXPECT_EQ(error_of([&] {
              import_netcdf(recipe_for(folder.path(), "text.nc"), folder / "out.h5");
            }).code(),
            Errc::kCorruptData);
}

/// Writes the smallest file of one of the classic kinds, its last variable along a fixed or the
/// unlimited dimension.
void write_classic(const std::filesystem::path& path, int kind, std::size_t last_length) {
  NetcdfSample file(path, kind);
  const int time = file.dimension("time", last_length);
  const int cell = file.dimension("cell", 3);
  const int lat = file.variable("lat", NC_SHORT, {cell});
  const int lon = file.variable("lon", NC_SHORT, {cell});
  const int flag = file.variable("flag", NC_SHORT, {time});
  const int temp = file.variable("temp", NC_DOUBLE, {time, cell});
  file.text(temp, "units", "K");
  file.values_follow();
  file.put(lat, {1, 2, 3});
  file.put(lon, {4, 5, 6});
  file.put_rows(flag, {2}, {0, 0});
  file.put_rows(temp, {2, 3}, {280, 281, 282, 283, 284, 285});
}

TEST(Import, RefusesAClassicFileThatLacksItsLastByte) {
  const TemporaryFolder folder;
  const auto path = folder / "in.nc";
  for (const int kind : {0, NC_64BIT_OFFSET, NC_64BIT_DATA}) {
    for (const std::size_t last_length : {std::size_t{NC_UNLIMITED}, std::size_t{2}}) {
      write_classic(path, kind, last_length);
      ImportRecipe recipe = recipe_for(folder.path(), "in.nc");
      recipe.time = {parse_time("2001-01-01"), parse_step("6h")};
      EXPECT_EQ(import_netcdf(recipe, folder / "out.h5").num_rows, 2);
      const auto size = std::filesystem::file_size(path);
      for (const auto cut : {size - 1, std::uintmax_t{60}, std::uintmax_t{9}}) {
        std::filesystem::resize_file(path, cut);
        const Error error = error_of([&] { import_netcdf(recipe, folder / "out.h5"); });
        EXPECT_EQ(error.text(), "file is truncated") << kind << " " << cut << error.what();
      }
    }
  }
}

TEST(Import, RefusesTimesThatItCannotPlace) {
  const TemporaryFolder folder;
  write_sample(folder / "months.nc", {.time_units = "months since 2001-01-01"});
  write_sample(folder / "uneven.nc", {.times = {0, 6, 13, 19}});
  write_sample(folder / "back.nc", {.times = {0, 6, 3, 12}});
  for (const char* name : {"months.nc", "uneven.nc", "back.nc"}) {
    EXPECT_EQ(
        error_of([&] { import_netcdf(recipe_for(folder.path(), name), folder / "out.h5"); }).code(),
        Errc::kInvalidInput)
        << name;
    ImportRecipe recipe = recipe_for(folder.path(), name);
    recipe.time = {parse_time("2001-02-28T12:00"), parse_step("6h")};
    import_netcdf(recipe, folder / "out.h5");
    expect_truth(folder / "out.h5");
  }
}

TEST(Import, RefusesFilesOnDifferentGridsOrTimes) {
  const TemporaryFolder folder;
  write_sample(folder / "a.nc", {});
  write_sample(folder / "b.nc", {.time_units = "hours since 2002-02-28 12:00"});
  ImportRecipe recipe = recipe_for(folder.path(), "a.nc");
  ImportVariable second = recipe.variables[0];
  second.name = "t2";
  second.file = "b.nc";
  recipe.variables.push_back(second);
  EXPECT_EQ(error_of([&] { import_netcdf(recipe, folder / "out.h5"); }).text(),
            "files have different time axes");
}

TEST(Import, RefusesStatisticsFromATimeWithoutRows) {
  const TemporaryFolder folder;
  write_sample(folder / "in.nc", {});
  ImportRecipe recipe = recipe_for(folder.path(), "in.nc");
  recipe.statistics_end = parse_time("1999-01-01");
  EXPECT_EQ(error_of([&] { import_netcdf(recipe, folder / "out.h5"); }).code(),
            Errc::kInvalidInput);
}

TEST(Import, TellsHowFarItIsAndCanBeGivenUpInEveryPhase) {
  const TemporaryFolder folder;
  write_sample(folder / "in.nc", {});
  const ImportRecipe recipe = recipe_for(folder.path(), "in.nc");
  std::vector<std::string> phases;
  const Progress listen = [&](std::string_view phase, std::int64_t done, std::int64_t total) {
    EXPECT_LT(done, total);
    if (phases.empty() || phases.back() != phase) {
      phases.emplace_back(phase);
    }
  };
  import_netcdf(recipe, folder / "out.h5", system_file_operations(), listen);
  EXPECT_EQ(phases, (std::vector<std::string>{"looking for values", "copying", "checking"}));
  for (const std::string& last : phases) {
    std::filesystem::remove(folder / "out.h5");
    const Progress give_up = [&](std::string_view phase, std::int64_t, std::int64_t) {
      if (phase == last) {
        EXPECT_EQ(std::filesystem::exists(folder / "out.h5.tmp"), last != phases.front());
        throw Error(Errc::kEnvironment, "given up");
      }
    };
    const Error error = error_of(
        [&] { import_netcdf(recipe, folder / "out.h5", system_file_operations(), give_up); });
    EXPECT_EQ(error.text(), "given up");
    EXPECT_FALSE(std::filesystem::exists(folder / "out.h5"));
    EXPECT_FALSE(std::filesystem::exists(folder / "out.h5.tmp"));
  }
}

TEST(Import, ReadsANetcdf4FileThatAskosDidNotWrite) {
  const std::filesystem::path file = kStormFolder / "nc4uvt.nc";
  if (!std::filesystem::exists(file)) {
    GTEST_SKIP() << "libncarg-data is not installed";
  }
  const TemporaryFolder folder;
  ImportRecipe recipe;
  recipe.folder = kStormFolder;
  recipe.axes = {"time", "lat", "lon"};
  recipe.time = {parse_time("1988-01-01"), parse_step("1d")};
  recipe.mask = MaskRule::kAllCells;
  for (const char* name : {"T", "grp1/U"}) {
    ImportVariable variable;
    variable.name = name[0] == 'T' ? "t" : "u";
    variable.file = file.filename();
    variable.source = name;
    variable.select = {{"lev", 3}};
    variable.allow_nans = true;
    recipe.variables.push_back(variable);
  }
  const ImportReport report = import_netcdf(recipe, folder / "out.h5");
  EXPECT_EQ(report.num_cells, 64 * 128);
  EXPECT_TRUE(verify_dataset(folder / "out.h5").ok());
  EXPECT_EQ(DatasetIndex::open(folder / "out.h5")->info().variables[0].unit, "C");
}

}  // namespace
}  // namespace askos::io
