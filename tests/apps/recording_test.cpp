// SPDX-License-Identifier: Apache-2.0
// `askos record` of a running graph, `askos replay` of the file alone, and `askos set`.
#include "apps/support/program.hpp"

#include <askos/io/crc32c.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <vector>

namespace askos::apps {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kGraph = ASKOS_EXAMPLES "/graphs/chain.toml";

/// The chain of the examples, without end, until the test is over.
class RecordingCommand : public ::testing::Test {
 protected:
  RecordingCommand()
      : graph_(ASKOS_PROGRAM, {"run", kGraph, "--set", "stages.source.count=0"}, folder_.path()) {
    while (run({"ps", "--json"}).out == "[]\n") {
    }
  }
  [[nodiscard]] Ended run(std::vector<std::string> arguments) const {
    return Program(ASKOS_PROGRAM, arguments, folder_.path()).wait();
  }
  [[nodiscard]] json json_of(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const auto ended = run(std::move(arguments));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return json::parse(ended.out, nullptr, false);
  }
  void expect_refused(const std::vector<std::string>& arguments, const std::string& text) const {
    const auto ended = run(arguments);
    EXPECT_EQ(ended.exit_code, 2) << ended.out;
    EXPECT_THAT(ended.err, HasSubstr("askos: error: " + text));
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  }

  TemporaryFolder folder_;
  std::string file_ = (folder_.path() / "b.h5").string();
  Program graph_;
};

TEST_F(RecordingCommand, KeepsRunsThatGiveTheSameAlone) {
  const auto kept = json_of({"record", "b", "--last", "4", "-o", file_});
  EXPECT_GE(kept["runs"], 4);
  EXPECT_EQ(run({"drain"}).exit_code, 0);
  (void)graph_.wait();  // nobody is left to help
  const auto text = run({"replay", file_, "--stage", "b", "--check"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("equal bit by bit: " + kept["runs"].dump() + " runs"));
  EXPECT_EQ(json_of({"replay", file_, "--stage", "b", "--graph", kGraph})["equal"], true);
}

TEST_F(RecordingCommand, TakesThePacketsThatWaitForAHeldStage) {
  ASSERT_EQ(run({"pause", "b"}).exit_code, 0);
  const auto kept = json_of({"record", "b", "-o", file_});
  EXPECT_GE(kept["waiting"], 1);
  const auto replayed = json_of({"replay", file_, "--stage", "b"});
  EXPECT_EQ(replayed["runs"][0]["done"], false);
  EXPECT_EQ(replayed["runs"][0]["emitted"], 1);
}

TEST_F(RecordingCommand, RefusesInOneLineAndWritesNothing) {
  expect_refused({"record", "bb", "-o", file_}, "no stage of that name: stage=bb, nearest=b");
  expect_refused({"record", "source", "-o", file_}, "stage cannot be recorded: stage=source");
  expect_refused({"record", "b", "--rank", "3", "-o", file_}, "no such rank: rank=3, ranks=1");
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_EQ(run({"record", "b", "-o", "/nowhere/b.h5"}).exit_code, 2);
}

TEST_F(RecordingCommand, RefusesStaleAndForeignFiles) {
  ASSERT_EQ(run({"record", "b", "--last", "2", "-o", file_}).exit_code, 0);
  expect_refused({"replay", file_, "--stage", "a"},
                 "recording is of another stage: stage=a, known=b");
  expect_refused(
      {"replay", file_, "--stage", "b", "--graph", kGraph, "--set", "stages.b.service=1 ms"},
      "recording is stale: the graph's stage is another one now: stage=b, key=service");
  expect_refused({"replay", (folder_.path() / "none.h5").string(), "--stage", "b"}, "");
  expect_refused({"replay", folder_.write("text.h5", "no HDF5"), "--stage", "b"}, "");
}

/// Flips a bit of what was emitted, as if the stage had given it.
void change_output(const std::string& path) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t array = H5Dopen2(file, "runs/1/outputs/0/bytes", H5P_DEFAULT);
  ASSERT_GE(array, 0);
  std::vector<std::byte> bytes(std::size_t{64} << 10);
  H5Dread(array, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
  bytes[17] ^= std::byte{1};
  H5Dwrite(array, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
  const std::int64_t crc = io::crc32c(bytes);
  const hid_t attribute = H5Aopen(array, "crc32c", H5P_DEFAULT);
  H5Awrite(attribute, H5T_NATIVE_INT64, &crc);
  H5Aclose(attribute);
  H5Dclose(array);
  H5Fclose(file);
}

TEST_F(RecordingCommand, ADifferenceFailsTheCheck) {
  ASSERT_EQ(run({"record", "b", "--last", "2", "-o", file_}).exit_code, 0);
  change_output(file_);
  const auto ended = run({"replay", file_, "--stage", "b", "--check"});
  EXPECT_EQ(ended.exit_code, 7);
  EXPECT_THAT(ended.err, HasSubstr("stage does not give what was recorded: stage=b, run="));
  EXPECT_THAT(ended.err, HasSubstr("bytes differs in 1 of 65536 entries, first in 17"));
  EXPECT_EQ(run({"replay", file_, "--stage", "b"}).exit_code, 0) << "without --check";
}

TEST_F(RecordingCommand, ATruncatedFileIsRefused) {
  ASSERT_EQ(run({"record", "b", "--last", "2", "-o", file_}).exit_code, 0);
  std::filesystem::resize_file(file_, std::filesystem::file_size(file_) / 2);
  expect_refused({"replay", file_, "--stage", "b", "--check"}, "HDF5 failed");
}

TEST_F(RecordingCommand, SetsWhatAStageTakes) {
  const auto change = json_of({"set", "b", "service", "3 ms"});
  EXPECT_EQ(change["value"], "3 ms");
  EXPECT_EQ(json_of({"set", "b", "service", "4 ms"})["before"], "3 ms");
  expect_refused({"set", "b", "batch", "2"}, "argument cannot change while the stage runs");
  expect_refused({"set", "b", "service", "soon"}, "");
}

TEST_F(RecordingCommand, ListsEdgesThatAreTuned) {
  EXPECT_EQ(run({"credit"}).out, "no edge is tuned\n");
  while (run({"credit", "a.out>b.in", "auto"}).exit_code != 0) {
  }
  EXPECT_THAT(run({"credit"}).out, HasSubstr("a.out>b.in: credit "));
  ASSERT_EQ(run({"credit", "a.out>b.in", "2"}).exit_code, 0);
  EXPECT_EQ(run({"credit"}).out, "no edge is tuned\n");
}

}  // namespace
}  // namespace askos::apps
