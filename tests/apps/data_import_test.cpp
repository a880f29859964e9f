// SPDX-License-Identifier: Apache-2.0
// askos import, from its arguments to its exit code, on the shipped recipe of the storm.
#include "apps/support/program.hpp"

#include <askos/io/dataset_index.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

const fs::path kStorm = "/usr/share/ncarg/data/cdf";
const std::string kRecipe = ASKOS_EXAMPLES "/storm/import.toml";

/// Holds if the program said one line and no more.
auto one_line(const std::string& text) {
  return AllOf(HasSubstr(text), MatchesRegex("askos: error: [^\n]*\n"));
}

class DataImport : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kStorm / "Pstorm.cdf")) {
      GTEST_SKIP() << "libncarg-data is not installed";
    }
  }

  [[nodiscard]] Ended import(const std::string& recipe,
                             const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"import", recipe, "--out", out_.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Program(ASKOS_PROGRAM, arguments, folder_.path()).wait();
  }

  /// Returns the shipped recipe with one piece of text replaced.
  [[nodiscard]] std::string recipe_with(const std::string& old_text,
                                        const std::string& new_text) const {
    std::ostringstream text;
    text << std::ifstream(kRecipe).rdbuf();
    std::string recipe = text.str();
    const auto at = recipe.find(old_text);
    EXPECT_NE(at, std::string::npos) << old_text;
    return folder_.write("recipe.toml", recipe.replace(at, old_text.size(), new_text));
  }

  /// Checks that the import ends like this and leaves nothing behind.
  void expect_refused(const Ended& ended, int code, const std::string& text) const {
    EXPECT_EQ(ended.exit_code, code) << ended.err;
    EXPECT_THAT(ended.err, one_line(text));
    EXPECT_THAT(ended.out, IsEmpty());
    EXPECT_FALSE(fs::exists(out_));
    EXPECT_FALSE(fs::exists(out_.string() + ".tmp"));
  }
  void expect_recipe_refused(const std::string& old_text,
                             const std::string& new_text,
                             const std::string& text) const {
    expect_refused(import(recipe_with(old_text, new_text)), 2, text);
  }

  TemporaryFolder folder_;
  fs::path out_ = folder_.path() / "storm.h5";
};

TEST_F(DataImport, TellsWhatItMadeOfTheStorm) {
  const auto text = import(kRecipe);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.err, IsEmpty());
  EXPECT_THAT(text.out, HasSubstr("64 rows, one each 6h from 1996-01-05T00:00:00\n"
                                  "  6 variables, 964 of 1188 grid cells, "));
  EXPECT_THAT(text.out, HasSubstr("  missing row 17: 1996-01-09T06:00:00\n"
                                  "  missing row 36: 1996-01-14T00:00:00\n"
                                  "  missing row 37: 1996-01-14T06:00:00\n"));

  const auto report = json::parse(import(kRecipe, {"--json"}).out);  // over the first one
  EXPECT_EQ(report["path"], out_.string());
  EXPECT_EQ(report["rows"], 64);
  EXPECT_EQ(report["variables"], 6);
  EXPECT_EQ(report["cells"], 964);
  EXPECT_EQ(report["grid_cells"], 1188);
  EXPECT_EQ(report["bytes"], fs::file_size(out_));
  std::vector<int> missing;
  for (const auto& row : report["missing_rows"]) {
    missing.push_back(row["row"]);
  }
  EXPECT_EQ(missing, (std::vector{17, 36, 37}));
}

TEST_F(DataImport, LaysSettingsOverTheRecipe) {
  const auto ended =
      import(kRecipe, {"--json", "--set", "time.origin=2000-02-28", "--set", "time.step=1d",
                       "--set", "statistics.end=2000-04-01T00:00:00"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  const auto report = json::parse(ended.out);
  EXPECT_EQ(report["first_time"], "2000-02-28T00:00:00");
  EXPECT_EQ(report["step"], "1d");
  EXPECT_EQ(report["missing_rows"][0]["time"], "2000-03-16T00:00:00");
}

TEST_F(DataImport, LooksForFilesBesideTheRecipeUnlessASettingSaysWhere) {
  const std::string recipe = recipe_with(kStorm.string(), "data");
  expect_refused(import(recipe), 2,
                 "no such file: file=" + (folder_.path() / "data/Pstorm.cdf").string() + "\n");
  expect_refused(import(recipe, {"--set", "folder=data"}), 2,
                 "no such file: file=data/Pstorm.cdf\n");
  EXPECT_EQ(import(recipe, {"--set", "folder=" + kStorm.string()}).exit_code, 0);
}

TEST_F(DataImport, ReadsTheOptionalKeys) {
  const std::string uuid = "00000000-0000-4000-8000-000000000000";
  const std::string recipe = recipe_with("unit = \"K\"",
                                         "role = \"forcing\"\nallow_nans = true\n"
                                         "missing_value = -1\nunit = \"degC\"");
  const auto ended = import(recipe, {"--set", "uuid=" + uuid, "--set", "chunk_cells=100", "--set",
                                     "statistics.begin=1996-01-06"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  const auto index = io::DatasetIndex::open(out_);
  const io::DatasetInfo& info = index->info();
  EXPECT_EQ(info.title, "Storm over North America, January 1996");
  EXPECT_EQ(info.uuid, uuid);
  EXPECT_EQ(info.chunk_cells, 100);
  EXPECT_EQ(info.statistics_rows, (comm::Range{4, 48}));
  EXPECT_EQ(info.variables[0].role, io::VariableRole::kPrognostic);
  EXPECT_EQ(info.variables[1].role, io::VariableRole::kForcing);
  EXPECT_EQ(info.variables[1].unit, "degC");
  EXPECT_TRUE(info.variables[1].allow_nans);

  fs::remove(out_);
  expect_recipe_refused("unit = \"K\"", "select = { level = 1 }",
                        "variable lacks a dimension that the recipe selects from");
}

TEST_F(DataImport, NamesFileLineKeyAndNearestKeyOfAnUnknownKey) {
  const std::string recipe = (folder_.path() / "recipe.toml").string();
  expect_recipe_refused(
      "unit = \"K\"", "unti = \"K\"",
      "unknown key: file=" + recipe + ", line=36, key=variables.unti, nearest=variables.unit\n");
  expect_recipe_refused("[mask]", "[maks]",
                        "unknown key: file=" + recipe + ", line=19, key=maks, nearest=mask\n");
  expect_refused(import(kRecipe, {"--set", "statistics.edn=1996-01-10"}), 2,
                 "unknown key: file=--set, key=statistics.edn, nearest=statistics.end\n");
}

TEST_F(DataImport, NamesFileLineKeyExpectedAndFoundOfAWrongType) {
  const std::string at = "file=" + (folder_.path() / "recipe.toml").string();
  expect_recipe_refused("time = \"timestep\"", "time = 3",
                        "wrong value: " + at +
                            ", line=9, key=axes.time, expected='a string', "
                            "found=3\n");
  expect_recipe_refused("step = \"6h\"", "step = 6",
                        at + ", line=16, key=time.step, expected='a step such as '6h'', found=6\n");
  expect_recipe_refused("file = \"Tstorm.cdf\"", "file = [\"Tstorm.cdf\"]",
                        "key=variables.file, expected='a string', found='an array of 1'\n");
  expect_recipe_refused("unit = \"K\"", "allow_nans = 1",
                        "key=variables.allow_nans, expected='true or false', found=1\n");
  expect_recipe_refused("unit = \"K\"", "missing_value = \"none\"",
                        "key=variables.missing_value, expected='a number', found=\"none\"\n");
  expect_recipe_refused("unit = \"K\"", "select = { level = 0.5 }",
                        "key=variables.select.level, expected='an integer', found=0.5\n");
  expect_refused(import(folder_.write("recipe.toml", "variables = 1\naxes = 2\n")), 2,
                 at + ", line=2, key=axes, expected='a table', found=2\n");
}

TEST_F(DataImport, SaysWhereAWordStandsThatItDoesNotKnow) {
  const std::string at = "file=" + (folder_.path() / "recipe.toml").string();
  expect_recipe_refused("valid_in_all_rows\"\n", "valid\"\n", at + ", line=20, key=mask.rule\n");
  expect_recipe_refused("1996-01-05T00:00:00\"", "1996-02-30\"",
                        at + ", line=15, key=time.origin\n");
  expect_recipe_refused("unit = \"K\"", "role = \"king\"", at + ", line=36, key=variables.role\n");
}

TEST_F(DataImport, RefusesARecipeThatLacksSomethingOrIsNoToml) {
  expect_recipe_refused("name = \"t\"", "", "missing key: file=");
  expect_refused(import(folder_.write("recipe.toml", "title = \"x\"\n")), 2, "key=variables\n");
  expect_recipe_refused("name = \"p\"", "name = ", "not a TOML file: file=");
  expect_refused(import((folder_.path() / "none.toml").string()), 2, "cannot read file: file=");
  expect_refused(import(folder_.path().string()), 2, "cannot read file: file=");
  const auto unnamed = Program(ASKOS_PROGRAM, {"import", kRecipe}, folder_.path()).wait();
  EXPECT_EQ(unnamed.exit_code, 2);
  EXPECT_THAT(unnamed.err, one_line("--out is required"));
}

TEST_F(DataImport, NamesTheFileAndTheNearestVariable) {
  expect_recipe_refused("source = \"t\"", "source = \"tt\"",
                        "NetCDF file has no such variable: file=" +
                            (kStorm / "Tstorm.cdf").string() + ", variable=tt, nearest=t\n");
}

TEST_F(DataImport, NamesTheRecipeWhenNoFileIsToBlame) {
  const std::string recipe = (folder_.path() / "recipe.toml").string();
  expect_recipe_refused("name = \"t\"", "name = \"p\"",
                        "two variables have the same name: file=" + recipe +
                            ", line=32, key=variables.name, found=p\n");
  expect_recipe_refused("step = \"6h\"", "",
                        "only one of time.origin and time.step: recipe=" + recipe + "\n");
  const auto refuses = [&](const std::string& setting, const std::string& text) {
    expect_refused(import(kRecipe, {"--set", setting}), 2, text + ", recipe=" + kRecipe + "\n");
  };
  refuses("chunk_cells=5000", "chunk_cells 5000 is within 0 and the 964 cells of a row'");
  refuses("statistics.begin=2001-01-01",
          "a time without rows: key='statistics.begin, statistics.end', "
          "first=1996-01-05T00:00:00, last=1996-01-20T18:00:00");
  refuses("mask.rule=all_cells",
          "NaN where it is not allowed: variable=p, time=1996-01-05T00:00:00, values=224");
}

TEST_F(DataImport, EndsOnASignalAndLeavesNothing) {
  for (const int signal : {SIGINT, SIGTERM}) {
    // The program is born with the signals blocked, so that this one waits until it looks.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    Program program(ASKOS_PROGRAM, {"import", kRecipe, "--out", out_.string()}, folder_.path());
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    program.signal(signal);
    expect_refused(program.wait(), 6,
                   "import was stopped by a signal; nothing is left of it: file=" + out_.string());
  }
}

TEST_F(DataImport, RefusesASourceThatIsMissingOrTruncated) {
  const fs::path source = folder_.path() / "T.cdf";
  const std::string recipe = recipe_with("Tstorm.cdf", source.string());
  expect_refused(import(recipe), 2, "no such file: file=" + source.string() + "\n");
  fs::copy_file(kStorm / "Tstorm.cdf", source);
  // In the values, in the header, in its first word.
  for (const std::uintmax_t cut :
       {fs::file_size(source) - 1, std::uintmax_t{100'000}, std::uintmax_t{100}}) {
    fs::resize_file(source, cut);
    expect_refused(import(recipe), 2, "file is truncated: file=" + source.string());
  }
  fs::resize_file(source, 2);
  expect_refused(import(recipe), 2, "file cannot be opened as NetCDF: file=" + source.string());
}

TEST_F(DataImport, LeavesNoHalfWrittenFileOnAFullDisk) {
  const fs::path disk = folder_.path() / "disk";
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "cannot mount a small disk: " << std::strerror(errno);
  }
  out_ = disk / "storm.h5";
  expect_refused(import(kRecipe), 6, "disk full: file=" + out_.string() + ".tmp");
  EXPECT_TRUE(fs::is_empty(disk));
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

TEST_F(DataImport, LeavesNoHalfWrittenFileWhereNoneMayGrowSoLarge) {
  const auto ended = run_with_small_files(
      512, ASKOS_PROGRAM, {"import", kRecipe, "--out", out_.string()}, folder_.path());
  expect_refused(ended, 6,
                 "file operation failed: file=" + out_.string() +
                     ".tmp, while='reserving space', reason='File too large'\n");
}

TEST_F(DataImport, KeepsTheOldDatasetWhenTheNewOneFails) {
  ASSERT_EQ(import(kRecipe).exit_code, 0);
  const auto size = fs::file_size(out_);
  EXPECT_EQ(import(recipe_with("source = \"t\"", "source = \"tt\"")).exit_code, 2);
  EXPECT_EQ(fs::file_size(out_), size);
}

}  // namespace
}  // namespace askos::apps
