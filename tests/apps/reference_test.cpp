// SPDX-License-Identifier: Apache-2.0
// `askos parity` and `askos weights` from outside: what passes, what fails, what is refused.
#include "apps/support/program.hpp"

#include <askos/io/metadata.hpp>
#include <askos/io/safetensors.hpp>

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kCases = ASKOS_PARITY_FOLDER;

class Reference : public ::testing::Test {
 protected:
  Ended run(const std::vector<std::string>& arguments) {
    return Program(ASKOS_PROGRAM, arguments, folder_.path()).wait();
  }

  /// A copy of the case `base` in which one text of model.json is another.
  fs::path edited_case(const std::string& from, const std::string& to) {
    const auto copy = folder_.path() / "edited";
    fs::remove_all(copy);
    fs::copy(kCases / "base", copy);
    std::stringstream text;
    text << std::ifstream(kCases / "base" / "model.json").rdbuf();
    std::string json = text.str();
    const auto at = json.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    json.replace(at, from.size(), to);
    std::ofstream(copy / "model.json") << json;
    return copy;
  }

  void expect_refusal(const std::vector<std::string>& arguments, const std::string& words) {
    const auto ended = run(arguments);
    EXPECT_EQ(ended.exit_code, 2) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(words));
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  }

  TemporaryFolder folder_;
};

std::string base() {
  return (kCases / "base").string();
}

TEST_F(Reference, CasesOfAllKindsPass) {
  const auto ended =
      run({"parity", base(), (kCases / "losses").string(), (kCases / "training").string(),
           (kCases / "ensemble").string(), (kCases / "preprocessing").string(), "--ranks", "2"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("grad.param.decoder.0.emb_nodes_dst.bias"));
  EXPECT_THAT(ended.out, HasSubstr("huberloss.nan_target.grad_pred"));
  EXPECT_THAT(ended.out, HasSubstr("adamw.loss.19"));
}

TEST_F(Reference, JsonHasALinePerQuantity) {
  const auto ended = run({"parity", base(), "--dtype", "float64", "--json"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  std::istringstream lines(ended.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto row = io::parse_json(line);
    EXPECT_TRUE(row.at("pass").as_bool());
    EXPECT_LE(row.at("max_abs").as_double(), row.at("tolerance").as_double());
  }
  EXPECT_GT(count, 100);
}

TEST_F(Reference, RootOfALossIsThatOverAllRanks) {
  // What the root makes of the loss and the gradients of `base`: d sqrt(L) = dL / (2 sqrt(L)).
  const auto copy = edited_case("\"class\": \"MSELoss\"", "\"class\": \"RMSELoss\"");
  auto file = io::read_safetensors(copy / "io.safetensors");
  double loss = 0;
  std::memcpy(&loss, file.at("loss.value_fp64").bytes.data(), sizeof loss);
  for (auto& array : file.arrays) {
    const bool is_loss = array.name == "loss.value";
    if (!is_loss && !array.name.starts_with("grad.")) continue;
    ASSERT_EQ(array.dtype, DType::kFloat32) << array.name;
    for (std::size_t at = 0; at < array.bytes.size(); at += sizeof(float)) {
      float number = 0;
      std::memcpy(&number, &array.bytes[at], sizeof number);
      number /= static_cast<float>((is_loss ? 1 : 2) * std::sqrt(loss));
      std::memcpy(&array.bytes[at], &number, sizeof number);
    }
  }
  const std::vector<io::NamedArrayView> views(file.arrays.begin(), file.arrays.end());
  io::write_safetensors(copy / "io.safetensors", views);
  for (const char* ranks : {"1", "3"}) {
    const auto ended = run({"parity", copy.string(), "--ranks", ranks});
    EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  }
}

TEST_F(Reference, BFloat16IsNearEnough) {
  for (const char* strategy : {"edges", "heads"}) {
    const auto ended = run(
        {"parity", base(), "--dtype", "bfloat16", "--ranks", "5", "--shard-strategy", strategy});
    EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  }
}

TEST_F(Reference, MemoryPlanChoosesChunksThatFit) {
  const auto all = run({"memory", base(), "--chunks", "0", "--segments", "0", "--batch", "8"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr("0 mapper chunks"));
  const auto less = run({"memory", base(), "--batch", "8", "--budget", "9"});
  EXPECT_EQ(less.exit_code, 0) << less.err;
  EXPECT_EQ(less.out.find("0 mapper chunks, 0 processor"), std::string::npos) << less.out;
  EXPECT_EQ(run({"memory", base(), "--budget", "0.1"}).exit_code, 6);
}

TEST_F(Reference, AQuantityOutOfToleranceIsACheckThatFailed) {
  const auto copy = edited_case("\"y_max_abs\": 9e-06", "\"y_max_abs\": 9e-16");
  const auto ended = run({"parity", copy.string()});
  EXPECT_EQ(ended.exit_code, 7) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("NO"));
  EXPECT_THAT(ended.err, HasSubstr(copy.string()));
}

TEST_F(Reference, MoreRanksThanHeadsWorkWithAWarning) {
  const auto ended = run({"parity", base(), "--ranks", "5", "--shard-strategy", "heads"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("more ranks than heads"));
}

TEST_F(Reference, BadInputIsNamedInOneLine) {
  expect_refusal({"parity", kCases.string()}, "model.json");
  expect_refusal({"parity", base(), "--ranks", "300"}, "more ranks than data nodes");
  expect_refusal({"parity", base(), "--segments", "3"}, "processor.num_chunks");
  expect_refusal({"parity", edited_case("\"qk_norm\"", "\"qk_morn\"").string()}, "qk_norm");
  expect_refusal(
      {"parity", edited_case("\"latent_skip\"", "\"new_option\": 1, \"latent_skip\"").string()},
      "new_option");
  expect_refusal(
      {"parity",
       edited_case("\"mlp_implementation\": \"mlp\"", "\"mlp_implementation\": \"tanh\"").string()},
      "tanh");
  expect_refusal({"parity", edited_case("\"num_layers\": 2", "\"num_layers\": 3").string()},
                 "processor.num_layers");
}

TEST_F(Reference, FieldsOfAnotherShapeAreNamed) {
  const auto copy = folder_.path() / "shorter";
  fs::copy(kCases / "base", copy);
  auto file = io::read_safetensors(copy / "io.safetensors");
  auto& array = *std::ranges::find(file.arrays, "loss.node_weights", &io::NamedArray::name);
  --array.shape[0];
  array.bytes.resize(array.bytes.size() - sizeof(float));
  const std::vector<io::NamedArrayView> views(file.arrays.begin(), file.arrays.end());
  io::write_safetensors(copy / "io.safetensors", views);
  expect_refusal({"parity", copy.string(), "--ranks", "2"},
                 "tensor=loss.node_weights, axis=0, expected=209, found=208");
}

TEST_F(Reference, WeightsGoThroughACheckpointAndBack) {
  const auto imported = (folder_.path() / "imported").string();
  const auto exported = folder_.path() / "exported";
  const auto in = run({"weights", "import", base(), "--out", imported});
  ASSERT_EQ(in.exit_code, 0) << in.err;
  const auto out = run({"weights", "export", imported, "--out", exported.string()});
  ASSERT_EQ(out.exit_code, 0) << out.err;
  EXPECT_EQ(io::read_safetensors(exported / "weights.safetensors").arrays.size(),
            io::read_safetensors(kCases / "base" / "weights.safetensors").arrays.size());
  fs::copy(kCases / "base" / "io.safetensors", exported);
  EXPECT_EQ(run({"parity", exported.string()}).exit_code, 0);
  const auto info = run({"weights", "info", imported});
  EXPECT_EQ(info.exit_code, 0) << info.err;
  EXPECT_THAT(info.out, HasSubstr("encoder.0.proc.lin_key.weight"));
}

TEST_F(Reference, OlderWeightsAreImportedUnderTodaysNames) {
  auto file = io::read_safetensors(kCases / "base" / "weights.safetensors");
  for (auto& array : file.arrays) {
    if (array.name.starts_with("encoder.0.")) array.name.replace(8, 1, "data");
    array.name = "model." + array.name;
  }
  const std::vector<io::NamedArrayView> views(file.arrays.begin(), file.arrays.end());
  const auto weights = folder_.path() / "weights.safetensors";
  io::write_safetensors(weights, views);
  const auto out = (folder_.path() / "imported").string();
  const auto ended = run({"weights", "import", weights.string(), "--out", out, "--graph",
                          base() + "/graph.safetensors", "--config", base() + "/model.json"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("named encoder and decoder by their keys"));
  EXPECT_THAT(run({"weights", "info", out}).out, HasSubstr("encoder.0.proc.lin_key.weight"));
}

TEST_F(Reference, WeightsThatDoNotFitAreRefused) {
  const auto out = (folder_.path() / "imported").string();
  const auto import = [&](const fs::path& weights) {
    return std::vector<std::string>{"weights",
                                    "import",
                                    weights.string(),
                                    "--out",
                                    out,
                                    "--graph",
                                    base() + "/graph.safetensors",
                                    "--config",
                                    base() + "/model.json"};
  };
  const auto weights = folder_.path() / "weights.safetensors";
  auto file = io::read_safetensors(kCases / "base" / "weights.safetensors");
  const auto write = [&] {
    const std::vector<io::NamedArrayView> views(file.arrays.begin(), file.arrays.end());
    io::write_safetensors(weights, views);
  };
  auto& array = *std::ranges::find(file.arrays, DType::kFloat32, &io::NamedArray::dtype);
  const float nan = std::nanf("");
  std::memcpy(array.bytes.data(), &nan, sizeof nan);
  write();
  expect_refusal(import(weights), "not finite");
  array.name += ".q_norm.weight";
  write();
  expect_refusal(import(weights), "qk_norm");
  std::ofstream(weights) << "no header";
  expect_refusal(import(weights), "safetensors");
}

}  // namespace
}  // namespace askos::apps
