// SPDX-License-Identifier: Apache-2.0
// Bad input of the programs that train, from their arguments to their exit codes. Each gets one
// line that names file, key, expected and found, and leaves no half-written file.
#include "apps/support/program.hpp"
#include "io/datasets.hpp"
#include "io/hdf5_edit.hpp"

#include <askos/io/dataset_index.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

const io::Sizes kSizes{.rows = 8, .variables = 2, .ensembles = 1, .cells = 40, .chunk_cells = 10};

constexpr const char* kConfig = R"([data]
file = "data.h5"
input_steps = 1
train_rows = [0, 6]
test_rows = [6, 8]

[graph]
hidden_nodes = 10
encoder_neighbours = 3
processor_neighbours = 3
decoder_neighbours = 2

[model]
channels = 8
heads = 2
layers = 1

[training]
steps = 2
batch_size = 2

[run]
folder = "run"
)";

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class TrainingInput : public ::testing::Test {
 protected:
  TrainingInput() { io::write_dataset(data_, io::describe(kSizes)); }

  [[nodiscard]] Ended run(const std::vector<std::string>& arguments) const {
    return Program(ASKOS_PROGRAM, arguments, folder_.path()).wait();
  }

  [[nodiscard]] Ended train(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"train", config_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  void expect_refused(const Ended& ended, int code, const std::vector<std::string>& texts) const {
    EXPECT_EQ(ended.exit_code, code) << ended.err;
    EXPECT_THAT(ended.err, MatchesRegex("(askos: warning: [^\n]*\n)?askos: error: [^\n]*\n"));
    for (const auto& text : texts) {
      EXPECT_THAT(ended.err, HasSubstr(text));
    }
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
      EXPECT_NE(entry.path().filename(), "manifest.json") << "a checkpoint: " << entry.path();
    }
  }

  void set_value(std::int64_t row, float value) const {
    const auto index = io::DatasetIndex::open(data_);
    const io::File file(io::system_file_operations(), data_, io::OpenMode::kReadWrite);
    file.write(index->chunk_offset(row, 2) + 20, std::as_bytes(std::span(&value, 1)));
  }

  TemporaryFolder folder_;
  fs::path data_ = folder_.path() / "data.h5";
  std::string config_ = folder_.write("train.toml", kConfig);
};

TEST_F(TrainingInput, NamesADatasetThatIsMissingTruncatedOrOfAnotherKind) {
  const std::string file = "file=" + data_.string();
  const fs::path intact = folder_.path() / "intact.h5";
  fs::copy_file(data_, intact);
  const auto damage = [&](const auto& change) {
    fs::copy_file(intact, data_, fs::copy_options::overwrite_existing);
    change();
  };
  damage([&] { fs::remove(data_); });
  expect_refused(train(), 2, {"no such file", file});
  damage([&] { fs::resize_file(data_, fs::file_size(data_) - 1); });
  expect_refused(train(), 2, {"file is truncated", file});
  damage([&] { (void)folder_.write("data.h5", "no HDF5"); });
  expect_refused(train(), 2, {"not an HDF5 file", file});
  damage([&] {
    io::Hdf5Edit(data_).make_fields(
        {.type = H5T_IEEE_F64LE, .lengths = {8, 2, 1, 40}, .chunk = {1, 2, 1, 10}});
  });
  expect_refused(train(), 2,
                 {"fields have another dtype than expected", file, "expected=", "found_bytes=8"});
  damage(
      [&] { io::Hdf5Edit(data_).make_fields({.lengths = {8, 3, 1, 40}, .chunk = {1, 3, 1, 10}}); });
  expect_refused(train(), 2,
                 {"fields have another shape than their axes", file, "expected='(8, 2, 1, 40)'",
                  "found='(8, 3, 1, 40)'"});
  damage([&] { set_value(3, 1e4F); });
  expect_refused(train(), 2,
                 {"chunk does not match its CRC", file, "row=3, chunk=2",
                  "expected_crc32c=", "found_crc32c="});
}

TEST_F(TrainingInput, StopsAtTheFirstLossThatIsNoNumber) {
  auto info = io::describe(kSizes);
  for (auto& variable : info.variables) {
    variable.allow_nans = true;
  }
  io::DatasetWriter writer(data_, info);
  io::ShardWriter shard(writer.plan(), {0, kSizes.cells});
  for (std::int64_t row = 0; row < kSizes.rows; ++row) {
    auto values = io::row_values(info, row, {0, kSizes.cells});
    values[7] = std::nanf("");
    shard.write_row(row, values);
  }
  const auto result = shard.finish();
  writer.finish({&result, 1});
  expect_refused(train(), 7, {"step=0"});
}

struct Refusal {
  std::vector<std::string> settings;
  std::string words;
};

TEST_F(TrainingInput, NamesKeyExpectedAndFoundOfAWrongSetting) {
  const std::vector<Refusal> refusals{
      {{"training.stpes=1"}, "unknown key: file=--set, key=training.stpes, nearest=training.steps"},
      {{"training.steps=many"},
       "file=--set, key=training.steps, expected='an integer', found=\"many\""},
      {{"training.batch_size=0"}, "key=training.batch_size, expected='> 0', found=0"},
      {{"model.dtype=float16"},
       "wrong value: file=--set, key=model.dtype, expected='float32 or float64', "
       "found=\"float16\""},
      {{"model.heads=3"}, "key=model.heads, expected='a divisor of model.channels 8', found=3"},
      {{"graph.kind=flat"},
       "key=graph.kind, expected='regional or global or stretched', found=\"flat\""},
      {{"graph.kind=stretched", "graph.region=[30, 20, 0, 10]"},
       "key=graph.region, expected='[south, north, west, east] in degrees, south < north', "
       "found='[30.0, 20.0, 0.0, 10.0]'"},
      {{"graph.region=[30, 20]"},
       "key=graph.region, expected='[south, north, west, east] in degrees'"},
      {{"model.autocast=int8"}, "key=model.autocast, expected='none or bfloat16 or float16'"},
      {{"model.autocast=float16", "model.dtype=float64"},
       "key=model.autocast, expected='none, where model.dtype is not float32', found=\"float16\""},
      {{"model.memory_budget=much"}, "key=model.memory_budget"},
      {{"model.memory_budget=1 MiB", "model.processor_shard_strategy=heads"},
       "key=model.memory_budget, expected='0, where a part has shard_strategy heads'"},
      {{"graph.encoder_neighbours=0"}, "key=graph.encoder_neighbours, expected='> 0', found=0"},
      {{"data.normalizer=best"},
       "key=data.normalizer, expected='mean-std, std, min-max, max or none', found=\"best\""},
      {{"data.normalizers={v9=\"std\"}"},
       "variable=v9, nearest=v0, file=" + data_.string() + ", key=data.normalizers"},
      {{"data.test_rows=[6, 9]"},
       "file=" + data_.string() + ", key=data.test_rows, expected='at most 8', found=9"},
      {{"data.input_steps=7"}, "no sample has all its rows: file=" + data_.string()},
      // A mesh that cannot be.
      {{"run.ranks=3", "run.ranks_per_model=2"},
       "key=run.ranks_per_model, expected='a divisor of run.ranks 3 (0: all of them)', found=2"},
      {{"run.ranks=4", "run.readers_per_model=3"},
       "key=run.readers_per_model, expected='a divisor of the ranks of a model, 4 (0: one reader "
       "each)', found=3"},
      {{"run.ranks=41"}, "more ranks than cells of the grid: ranks=41, cells=40"},
  };
  for (const auto& [settings, words] : refusals) {
    std::vector<std::string> arguments;
    for (const auto& setting : settings) {
      arguments.insert(arguments.end(), {"--set", setting});
    }
    expect_refused(train(arguments), 2, {words});
  }
}

TEST_F(TrainingInput, NamesWhatIsMissingForAGpu) {
  ASSERT_EQ(::setenv("CUDA_VISIBLE_DEVICES", "", /*overwrite=*/1), 0);  // none on any machine
  expect_refused(train({"--device", "cuda", "--ranks", "1"}), 6,
                 {"no CUDA device can be used here", "--device cpu"});
  expect_refused(train({"--device", "cuda", "--ranks", "2"}), 2,
                 {"ranks on GPUs are processes", "askos launch --gpus -n 2"});
  expect_refused(train({"--set", "run.device=tpu"}), 2,
                 {"key=run.device, expected='cpu, cuda or auto', found=\"tpu\""});
}

TEST_F(TrainingInput, NamesFileAndLineOfAWrongValueAndListsAllOfThem) {
  std::string text = kConfig;
  text.replace(text.find("layers = 1"), 10, "layers = -1\ndtype = \"int8\"");
  (void)folder_.write("train.toml", text);
  expect_refused(train(), 2, {"file=" + config_ + ", line=17, key=model.dtype"});
  text.replace(text.find("dtype"), 14, "heads_ = 3");
  text.replace(text.find("heads = 2\n"), 10, "");
  (void)folder_.write("train.toml", text);
  expect_refused(train(), 2,
                 {"unknown key: file=" + config_ +
                  ", line=16, key=model.heads_, "
                  "nearest=model.heads"});
  text.replace(text.find("heads_ = 3"), 10, "heads = 3");
  (void)folder_.write("train.toml", text);
  const auto both = train();
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_EQ(both.err,
            "askos: error: wrong value: file=" + config_ +
                ", line=16, key=model.heads, expected='a divisor of model.channels 8', found=3\n"
                "askos: error: wrong value: file=" +
                config_ + ", line=15, key=model.layers, expected='>= 0', found=-1\n");
}

TEST_F(TrainingInput, RefusesACheckpointOfAnotherModelAndLeavesItsRunAsItWas) {
  ASSERT_EQ(train().exit_code, 0);
  const fs::path run_folder = folder_.path() / "run";
  const auto config = text_of(run_folder / "config.toml");
  const auto metrics = text_of(run_folder / "metrics.jsonl");
  const auto expect_other_model = [&](const Ended& ended) {
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_THAT(ended.err, MatchesRegex("askos: error: checkpoint is of another model [^\n]*\n"));
    EXPECT_THAT(ended.err, AllOf(HasSubstr(run_folder.string() + "/checkpoints/step-000000000002"),
                                 HasSubstr("model.channels='expected 16, found 8'")));
    EXPECT_EQ(text_of(run_folder / "config.toml"), config);
    EXPECT_EQ(text_of(run_folder / "metrics.jsonl"), metrics);
  };
  const std::string other = "model.channels=16";
  expect_other_model(train({"--set", other}));
  expect_other_model(run({"evaluate", run_folder.string(), "--set", other}));
  expect_other_model(run({"forecast", run_folder.string(), "--from", "1996-01-06T06:00", "--out",
                          (folder_.path() / "f.h5").string(), "--set", other}));
}

TEST_F(TrainingInput, ForecastAndEvaluationNameWhatTheyLack) {
  const auto forecast = [&](const std::string& from) {
    return run({"forecast", (folder_.path() / "run").string(), "--from", from, "--out",
                (folder_.path() / "f.h5").string()});
  };
  expect_refused(forecast("1996-01-06"), 2,
                 {"cannot read file: file=" + (folder_.path() / "run").string()});
  expect_refused(run({"evaluate", config_}), 2,
                 {"run has no checkpoint", "folder=" + (folder_.path() / "run").string()});
  ASSERT_EQ(train().exit_code, 0);
  const auto ends = [&](const Ended& ended, int code, const std::string& text) {
    EXPECT_EQ(ended.exit_code, code) << ended.err;
    EXPECT_THAT(ended.err, AllOf(MatchesRegex("(askos: warning: [^\n]*\n)?askos: error: [^\n]*\n"),
                                 HasSubstr(text)));
    EXPECT_FALSE(fs::exists(folder_.path() / "f.h5"));
    EXPECT_FALSE(fs::exists(folder_.path() / "f.h5.tmp"));
  };
  ends(forecast("yesterday"), 2, "yesterday");
  ends(forecast("1997-01-01"), 2,
       "dataset has no such time: time=1997-01-01T00:00:00, first=1996-01-05T00:00:00");
}

TEST_F(TrainingInput, LeavesNoHalfWrittenCheckpointOrForecastOnAFullDisk) {
  const auto run_folder = (folder_.path() / "run").string();
  // The configuration and the metrics fit, the first checkpoint does not.
  const auto full = run_with_small_files(8, ASKOS_PROGRAM, {"train", config_}, folder_.path());
  EXPECT_EQ(full.exit_code, 6) << full.err;
  EXPECT_THAT(full.err, MatchesRegex("[^\n]* checkpoint of step 2 skipped: [^\n]*\n"
                                     "askos: error: run ends without a checkpoint [^\n]*\n"));
  EXPECT_THAT(full.err, HasSubstr("file=" + run_folder +
                                  "/checkpoints/step-000000000002.tmp/state.safetensors"));
  // Where there is space again, training begins anew.
  ASSERT_EQ(train().exit_code, 0);
  const auto out = (folder_.path() / "f.h5").string();
  const auto ended = run_with_small_files(
      64, ASKOS_PROGRAM, {"forecast", run_folder, "--from", "1996-01-06T06:00", "--out", out},
      folder_.path());
  EXPECT_EQ(ended.exit_code, 6) << ended.err;
  EXPECT_THAT(ended.err, MatchesRegex("(askos: warning: [^\n]*\n)?askos: error: [^\n]*\n"));
  EXPECT_THAT(ended.err, HasSubstr("file=" + out + ".tmp"));
  EXPECT_FALSE(fs::exists(out));
  EXPECT_FALSE(fs::exists(out + ".tmp"));
}

}  // namespace
}  // namespace askos::apps
