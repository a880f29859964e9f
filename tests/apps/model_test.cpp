// SPDX-License-Identifier: Apache-2.0
// The programs that train, from outside: bad input, signals and kills, on the storm example.
#include "apps/support/program.hpp"

#include <askos/io/metadata.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <random>
#include <thread>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;

std::string example(const std::string& name) {
  return std::string(ASKOS_EXAMPLES) + "/storm/" + name;
}

Ended run(const std::vector<std::string>& arguments, const TemporaryFolder& folder) {
  return Program(ASKOS_PROGRAM, arguments, folder.path()).wait();
}

/// Arguments of a short storm training in `folder`.
std::vector<std::string> training(const TemporaryFolder& folder, const std::string& name) {
  return {"train",
          example("train.toml"),
          "--json",
          "--set",
          "data.file=" + (folder.path() / "storm.h5").string(),
          "--set",
          "run.folder=" + (folder.path() / name).string(),
          "--set",
          "training.steps=12",
          "--set",
          "run.checkpoint_every=2"};
}

std::vector<double> losses(const fs::path& run_folder) {
  std::vector<double> values(12, -1);
  std::ifstream file(run_folder / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto record = io::parse_json(line);
    if (record.at("event").as_string() == "step") {
      values.at(static_cast<std::size_t>(record.at("step").as_integer())) =
          record.at("loss").as_double();
    }
  }
  return values;
}

class Storm : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists("/usr/share/ncarg/data/cdf/Pstorm.cdf")) {
      GTEST_SKIP() << "the storm data (Debian's libncarg-data) are not installed";
    }
    const auto imported =
        run({"import", example("import.toml"), "--out", (folder_.path() / "storm.h5").string()},
            folder_);
    ASSERT_EQ(imported.exit_code, 0) << imported.err;
  }

  void expect_refusal(std::vector<std::string> more, int exit_code, const std::string& words) {
    auto arguments = training(folder_, "refused");
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto ended = run(arguments, folder_);
    EXPECT_EQ(ended.exit_code, exit_code) << ended.err;
    EXPECT_NE(ended.err.find(words), std::string::npos) << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  }

  TemporaryFolder folder_;
};

TEST_F(Storm, TrainingNamesWhatIsWrongInOneLine) {
  expect_refusal({"--set", "training.stpes=1"}, 2, "training.steps");
  expect_refusal({"--set", "training.steps=many"}, 2, "training.steps");
  expect_refusal({"--set", "training.batch_size=0"}, 2, "training.batch_size");
  expect_refusal({"--set", "data.file=/nowhere.h5"}, 2, "/nowhere.h5");
  expect_refusal({"--set", "data.test_rows=[48, 65]"}, 2, "data.test_rows");
  expect_refusal({"--set", "run.ranks=3", "--set", "run.ranks_per_model=2"}, 2, "3");
  expect_refusal({"--set", "model.heads=7"}, 2, "heads");
  expect_refusal({"--device", "cuda"}, 6, "CUDA");
}

TEST_F(Storm, ReportIsOneFileThatNeedsNoNetwork) {
  const auto ended = run(training(folder_, "run"), folder_);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  std::ifstream file(folder_.path() / "run" / "report.html");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  EXPECT_NE(page.find("Chart.js"), std::string::npos);
  EXPECT_NE(page.find("persistence_rmse"), std::string::npos);
  EXPECT_EQ(page.find("src=\"http"), std::string::npos);
  EXPECT_EQ(page.find("href=\"http"), std::string::npos);
}

TEST_F(Storm, TerminatedTrainingLeavesACheckpointAndGoesOn) {
  const auto whole = run(training(folder_, "whole"), folder_);
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  Program program(ASKOS_PROGRAM, training(folder_, "parts"), folder_.path());
  // The first checkpoint says that training is under way.
  const auto first = folder_.path() / "parts" / "checkpoints";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(50);
  while (!fs::exists(first) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  program.signal(SIGTERM);
  const auto stopped = program.wait();
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  const auto resumed = run(training(folder_, "parts"), folder_);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(losses(folder_.path() / "parts"), losses(folder_.path() / "whole"));
}

TEST_F(Storm, KilledAtAnyMomentItGoesOnToTheSameLosses) {
  const auto whole = run(training(folder_, "whole"), folder_);
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  std::mt19937 engine(7);
  std::uniform_int_distribution<int> bytes(0, 3000);
  for (int kill = 0; kill < 20; ++kill) {
    Program program(ASKOS_PROGRAM, training(folder_, "killed"), folder_.path());
    // Moments are counted in bytes of metrics, not seconds: as random, and as many on any machine.
    const auto metrics = folder_.path() / "killed" / "metrics.jsonl";
    const auto size = [&] {
      std::error_code fault;
      const auto now = fs::file_size(metrics, fault);
      return fault ? std::uintmax_t{0} : now;
    };
    const auto wanted = size() + static_cast<std::uintmax_t>(bytes(engine));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (size() < wanted && std::chrono::steady_clock::now() < deadline &&
           !fs::exists(folder_.path() / "killed" / "report.html")) {
      std::this_thread::yield();
    }
    program.signal(SIGKILL);
    (void)program.wait();
    if (fs::exists(folder_.path() / "killed" / "report.html")) {
      fs::remove_all(folder_.path() / "killed");  // it was done: start over
    }
  }
  const auto resumed = run(training(folder_, "killed"), folder_);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(losses(folder_.path() / "killed"), losses(folder_.path() / "whole"));
}

}  // namespace
}  // namespace askos::apps
