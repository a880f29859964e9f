// SPDX-License-Identifier: Apache-2.0
// `askos checkpoint` from outside, on checkpoints that no training had to make.
#include "apps/support/program.hpp"
#include "io/datasets.hpp"

#include <askos/io/checkpoint_layout.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CheckpointCommand : public ::testing::Test {
 protected:
  CheckpointCommand() {
    const io::CheckpointStore store(folder_.path() / "checkpoints");
    for (const std::int64_t step : {10, 20}) {
      store.write(step, {part(0, 2, "a", 1.5), part(1, 2, "b", 2.5)},
                  io::Metadata::Object{{"format", io::kCheckpointFormat},
                                       {"step", step},
                                       {"epoch", 1},
                                       {"loss", 0.25},
                                       {"askos", "0.1"}});
    }
  }

  static io::CheckpointPart part(int shard, int num_shards, const char* name, double value) {
    return {io::state_part_name(shard, num_shards), [=](io::ByteSink& sink) {
              const std::vector<io::NamedArrayView> arrays{
                  {name, DType::kFloat64, {1}, std::as_bytes(std::span(&value, 1))}};
              io::write_safetensors(sink, arrays);
            }};
  }

  [[nodiscard]] Ended run(const std::vector<std::string>& arguments) const {
    std::vector<std::string> words{"checkpoint"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return Program(ASKOS_PROGRAM, words, folder_.path()).wait();
  }

  [[nodiscard]] fs::path newest() const { return root_ / "checkpoints" / "step-000000000020"; }
  [[nodiscard]] std::string path(const char* name) const { return (root_ / name).string(); }

  TemporaryFolder folder_;
  fs::path root_ = folder_.path();
};

TEST_F(CheckpointCommand, ListsWhatIsThere) {
  const auto table = run({"info", root_.string()});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("step-000000000010"));
  const auto json = run({"info", newest().string(), "--json"});
  ASSERT_EQ(json.exit_code, 0) << json.err;
  const auto line = nlohmann::json::parse(json.out);
  EXPECT_EQ(line.at("step"), 20);
  EXPECT_EQ(line.at("parts").size(), 2u);
  EXPECT_EQ(line.at("metadata").at("loss"), 0.25);
}

TEST_F(CheckpointCommand, NamesADamagedOrMissingShard) {
  EXPECT_EQ(run({"verify", root_.string()}).exit_code, 0);
  const auto shard = newest() / io::state_part_name(1, 2);
  {
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('!');
  }
  const auto damaged = run({"verify", root_.string()});
  EXPECT_EQ(damaged.exit_code, 7);
  EXPECT_THAT(damaged.out, HasSubstr("step-000000000010: intact"));
  EXPECT_THAT(damaged.err, HasSubstr("file=" + shard.string()));
  EXPECT_THAT(damaged.err, HasSubstr("expected_crc32c="));
  EXPECT_THAT(damaged.err, HasSubstr("found_crc32c="));
  fs::remove(shard);
  const auto missing = run({"verify", newest().string()});
  EXPECT_EQ(missing.exit_code, 7);
  EXPECT_THAT(missing.err, HasSubstr("a shard is missing: file=" + shard.string()));
  EXPECT_EQ(run({"info", newest().string()}).exit_code, 2);
}

TEST_F(CheckpointCommand, RefusesANewerVersion) {
  const auto manifest = newest() / "manifest.json";
  std::ifstream file(manifest);
  std::string text(std::istreambuf_iterator<char>(file), {});
  const std::string version = "\"askos_checkpoint\": 1";
  ASSERT_NE(text.find(version), std::string::npos);
  std::ofstream(manifest) << text.replace(text.find(version), version.size(),
                                          "\"askos_checkpoint\": 9");
  const auto ended = run({"info", newest().string()});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("checkpoint was written by a newer askos"));
  EXPECT_THAT(ended.err, HasSubstr("found=9"));
}

TEST_F(CheckpointCommand, ConvertsToOneFileAndBack) {
  ASSERT_EQ(run({"convert", root_.string(), "--out", path("one.safetensors")}).exit_code, 0);
  const auto back = run({"convert", path("one.safetensors"), "--out", path("copy")});
  ASSERT_EQ(back.exit_code, 0) << back.err;
  const auto copy = io::open_checkpoint(root_ / "copy" / "checkpoints" / "step-000000000020");
  EXPECT_EQ(copy.parts.size(), 1u);
  EXPECT_EQ(io::read_state(copy), io::read_state(io::open_checkpoint(newest())));
  EXPECT_EQ(copy.metadata.at("loss").as_double(), 0.25);
}

TEST_F(CheckpointCommand, JoinsShardsInARunOfItsOwn) {
  ASSERT_EQ(run({"convert", root_.string(), "--out", path("joined")}).exit_code, 0);
  const auto made = io::open_checkpoint(root_ / "joined" / "checkpoints" / "step-000000000020");
  ASSERT_EQ(made.parts.size(), 1u);
  EXPECT_EQ(made.parts.front().name, io::kWholeState);
  EXPECT_EQ(io::read_state(made), io::read_state(io::open_checkpoint(newest())));
}

TEST_F(CheckpointCommand, SaysWhatIsNoCheckpoint) {
  const auto absent = run({"info", path("absent")});
  EXPECT_EQ(absent.exit_code, 2);
  EXPECT_THAT(absent.err, HasSubstr("no such checkpoint"));
  fs::create_directories(root_ / "empty");
  const auto empty = run({"verify", path("empty")});
  EXPECT_EQ(empty.exit_code, 7);
  EXPECT_THAT(empty.err, HasSubstr("not a checkpoint"));
}

}  // namespace
}  // namespace askos::apps
