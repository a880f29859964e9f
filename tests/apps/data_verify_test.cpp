// SPDX-License-Identifier: Apache-2.0
// askos verify, from its arguments to its exit code, on a small dataset that is damaged on purpose.
#include "apps/support/program.hpp"

#include <askos/io/dataset_writer.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <unistd.h>

#include <numeric>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

constexpr std::int64_t kCells = 40;

/// Four rows of two variables, the third of them missing, in chunks of ten cells.
io::WritePlan write_dataset(const fs::path& path) {
  io::DatasetInfo info;
  info.first_time = io::parse_time("2001-02-28T18:00");
  info.step = io::parse_step("6h");
  info.num_rows = 4;
  info.chunk_cells = 10;
  for (const char* name : {"t", "q"}) {
    io::VariableInfo variable;
    variable.name = name;
    info.variables.push_back(variable);
  }
  for (std::int64_t i = 0; i < kCells; ++i) {
    info.latitudes.push_back(static_cast<double>(i));
    info.longitudes.push_back(static_cast<double>(2 * i));
  }
  io::DatasetWriter writer(path, info);
  io::ShardWriter shard(writer.plan(), {0, kCells});
  std::vector<float> values(static_cast<std::size_t>(2 * kCells));
  for (const std::int64_t row : {0, 1, 3}) {
    std::iota(values.begin(), values.end(), static_cast<float>(row));
    shard.write_row(row, values);
  }
  const auto result = shard.finish();
  writer.finish({&result, 1});
  return writer.plan();
}

class DataVerify : public ::testing::Test {
 protected:
  [[nodiscard]] Ended verify(const fs::path& path, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"verify", path.string()});
    return Program(ASKOS_PROGRAM, more, folder_.path()).wait();
  }

  void flip_bit(std::int64_t row, std::int64_t chunk) const {
    const io::File file(io::system_file_operations(), path_, io::OpenMode::kReadWrite);
    const std::int64_t offset = plan_.offset_of(row, chunk) + 5;
    std::byte byte{};
    file.read(offset, std::span(&byte, 1));
    byte ^= std::byte{8};
    file.write(offset, std::span(&byte, 1));
  }

  void expect_one_line(const Ended& ended, int code, const std::string& text) const {
    EXPECT_EQ(ended.exit_code, code) << ended.err;
    EXPECT_THAT(ended.err, AllOf(StartsWith("askos: error: " + text), HasSubstr(path_.string()),
                                 MatchesRegex("[^\n]*\n")));
  }

  TemporaryFolder folder_;
  fs::path path_ = folder_.path() / "x.h5";
  io::WritePlan plan_ = write_dataset(path_);
};

TEST_F(DataVerify, TellsWhatItChecked) {
  const auto text = verify(path_);
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.err, IsEmpty());
  EXPECT_EQ(text.out, path_.string() +
                          ": intact\n"
                          "  structure, axes and tables: checked\n"
                          "  rows: 4, of which 1 are missing\n"
                          "  values: 12 chunks, 960 B, compared with their CRCs, NaN counts and "
                          "statistics\n");
  const auto report = json::parse(verify(path_, {"--json"}).out);
  EXPECT_EQ(report["ok"], true);
  EXPECT_EQ(report["rows"], 4);
  EXPECT_EQ(report["missing_rows"], 1);
  EXPECT_EQ(report["chunks"], 12);
  EXPECT_EQ(report["faults"], json::array());
}

TEST_F(DataVerify, FindsAFlippedBitAndSaysWhereItIs) {
  flip_bit(1, 2);
  const auto ended = verify(path_);
  expect_one_line(ended, 7, "chunk does not match its CRC: expected_crc32c=");
  EXPECT_THAT(ended.err, HasSubstr("row=1, time=2001-03-01T00:00:00, chunk=2, offset=" +
                                   std::to_string(plan_.offset_of(1, 2))));
  EXPECT_THAT(ended.out, HasSubstr(": faulty\n"));
}

TEST_F(DataVerify, PrintsOneLineForEachFault) {
  flip_bit(0, 0);
  flip_bit(3, 3);
  const auto ended = verify(path_, {"--json"});
  EXPECT_EQ(ended.exit_code, 7);
  EXPECT_EQ(std::ranges::count(ended.err, '\n'), 2);
  const auto report = json::parse(ended.out);
  EXPECT_EQ(report["ok"], false);
  ASSERT_EQ(report["faults"].size(), 2U);
  EXPECT_EQ(report["faults"][0]["code"], "corrupt data");
}

TEST_F(DataVerify, FindsATruncatedDataset) {
  fs::resize_file(path_, fs::file_size(path_) - 1);
  const auto ended = verify(path_);
  expect_one_line(ended, 7, "file is truncated");
  EXPECT_THAT(ended.out, HasSubstr("values: not read\n"));
  fs::resize_file(path_, 0);
  expect_one_line(verify(path_), 7, "file is empty");
}

TEST_F(DataVerify, RefusesWhatIsNoDataset) {
  path_ = folder_.write("x.txt", "hello, not HDF5");
  expect_one_line(verify(path_), 7, "not an HDF5 file");
  path_ = folder_.path();
  expect_one_line(verify(path_), 2, "a folder is no dataset");
  path_ = folder_.path() / "none.h5";
  expect_one_line(verify(path_), 2, "no such file");
}

TEST_F(DataVerify, SaysThatAFileIsHeldByAWriter) {
  const int descriptor = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(descriptor, LOCK_EX), 0);
  expect_one_line(verify(path_), 6, "file is held by a writer");
  ::close(descriptor);
}

}  // namespace
}  // namespace askos::apps
