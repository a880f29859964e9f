// SPDX-License-Identifier: Apache-2.0
// The programs that train, from outside: signals and kills, on the storm example.
#include "apps/support/program.hpp"

#include <askos/io/metadata.hpp>

#include <gtest/gtest.h>

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

  TemporaryFolder folder_;
};

TEST_F(Storm, LeavesAReportThatNeedsNoNetworkTracesAndSpans) {
  const auto ended = run(training(folder_, "run"), folder_);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  std::ifstream file(folder_.path() / "run" / "report.html");
  const std::string page(std::istreambuf_iterator<char>(file), {});
  EXPECT_NE(page.find("Chart.js"), std::string::npos);
  EXPECT_NE(page.find("persistence_rmse"), std::string::npos);
  EXPECT_EQ(page.find("src=\"http"), std::string::npos);
  EXPECT_EQ(page.find("href=\"http"), std::string::npos);

  for (const char* trace : {"train.pftrace", "evaluate.pftrace"}) {
    EXPECT_GT(fs::file_size(folder_.path() / "run" / trace), 1000U) << trace;
  }
  std::ifstream spans(folder_.path() / "run" / "spans.jsonl");
  for (const char* name : {"askos train", "askos evaluate"}) {
    std::string line;
    std::getline(spans, line);
    EXPECT_NE(line.find(std::string("\"name\":\"") + name), std::string::npos) << line;
  }
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
