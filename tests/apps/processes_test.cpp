// SPDX-License-Identifier: Apache-2.0
// Ranks as processes, from outside: the storm example by mpirun and by `askos launch`, with ranks
// that disagree, are killed or hang.
#include "apps/support/program.hpp"

#include <askos/io/metadata.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kSteps = 6;
constexpr auto kDeadline = std::chrono::seconds(50);

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Processes : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists("/usr/share/ncarg/data/cdf/Pstorm.cdf")) {
      GTEST_SKIP() << "the storm data (Debian's libncarg-data) are not installed";
    }
    const auto imported = askos({"import", example("import.toml"), "--out", path("storm.h5")});
    ASSERT_EQ(imported.exit_code, 0) << imported.err;
  }

  static std::string example(const std::string& name) {
    return std::string(ASKOS_EXAMPLES) + "/storm/" + name;
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  [[nodiscard]] Ended askos(const std::vector<std::string>& arguments) const {
    return Program(ASKOS_PROGRAM, arguments, folder_.path()).wait();
  }

  /// Arguments of a short storm training in the run folder `name`.
  [[nodiscard]] std::vector<std::string> training(const std::string& name) const {
    std::vector<std::string> words{"train", example("train.toml"), "--json"};
    for (const auto& setting :
         {"data.file=" + path("storm.h5"), "run.folder=" + path(name),
          "training.steps=" + std::to_string(kSteps), std::string("run.checkpoint_every=2"),
          std::string("run.threads_per_rank=1"), std::string("run.heartbeat=20 s")}) {
      words.insert(words.end(), {"--set", setting});
    }
    return words;
  }

  /// Puts a launch of `num_ranks` processes before a command of askos, run by a shell that leaves
  /// its rank's pid in the test's folder, with `extra` words at its end.
  [[nodiscard]] std::vector<std::string> launched(int num_ranks,
                                                  const std::vector<std::string>& command,
                                                  const std::string& extra = "") const {
    std::vector<std::string> words{
        "launch",
        "-n",
        std::to_string(num_ranks),
        "--",
        "sh",
        "-c",
        "R=$OMPI_COMM_WORLD_RANK; echo $$ > $0/pid$R; exec \"$@\" " + extra,
        folder_.path().string(),
        ASKOS_PROGRAM};
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }

  /// Waits until a run has made `num_steps` steps.
  void wait_for_steps(const std::string& name, int num_steps) const {
    const auto until = std::chrono::steady_clock::now() + kDeadline;
    while (count(read(folder_.path() / name / "metrics.jsonl"), "\"event\":\"step\"") <
           static_cast<std::size_t>(num_steps)) {
      ASSERT_LT(std::chrono::steady_clock::now(), until) << "no step was made";
      std::this_thread::yield();
    }
  }

  [[nodiscard]] int pid_of(int rank) const {
    return std::stoi(read(folder_.path() / ("pid" + std::to_string(rank))));
  }

  /// Whether a rank's process ends by the deadline; who inherits it may be late to bury it.
  [[nodiscard]] bool is_gone(int rank) const {
    const auto until = std::chrono::steady_clock::now() + kDeadline;
    while (::kill(pid_of(rank), 0) == 0) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  [[nodiscard]] std::vector<double> losses(const std::string& name, int num_steps = kSteps) const {
    std::vector<double> values(static_cast<std::size_t>(num_steps), -1);
    std::ifstream file(folder_.path() / name / "metrics.jsonl");
    for (std::string line; std::getline(file, line);) {
      const auto record = io::parse_json(line);
      if (record.at("event").as_string() == "step") {
        values.at(static_cast<std::size_t>(record.at("step").as_integer())) =
            record.at("loss").as_double();
      }
    }
    return values;
  }

  TemporaryFolder folder_;
};

TEST_F(Processes, GiveTheLossesScoresAndForecastsOfThreads) {
  auto local = training("threads");
  local.insert(local.end(), {"--ranks", "3"});
  const auto threads = askos(local);
  ASSERT_EQ(threads.exit_code, 0) << threads.err;

  std::vector<std::string> words{"-n",    "3",   "--oversubscribe", "--bind-to",  "none",
                                 "--mca", "plm", "isolated",        ASKOS_PROGRAM};
  const auto command = training("mpirun");
  words.insert(words.end(), command.begin(), command.end());
  const auto mpirun = Program(ASKOS_MPIRUN, words, folder_.path(),
                              {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"})
                          .wait();
  ASSERT_EQ(mpirun.exit_code, 0) << mpirun.err;
  EXPECT_EQ(losses("mpirun"), losses("threads"));
  EXPECT_EQ(mpirun.out, threads.out);  // one process prints: steps and scores, once

  const auto launched_run = askos(launched(3, training("launch")));
  ASSERT_EQ(launched_run.exit_code, 0) << launched_run.err;
  EXPECT_EQ(losses("launch"), losses("threads"));
  for (const char* file : {"report.html", "config.toml", "maps.json"}) {
    EXPECT_TRUE(fs::exists(folder_.path() / "launch" / file)) << file;
  }
  // The ledgers of all ranks are in the one file.
  for (const char* rank : {"\"rank\":0,", "\"rank\":1,", "\"rank\":2,"}) {
    EXPECT_THAT(read(folder_.path() / "launch" / "metrics.jsonl"), HasSubstr(rank));
  }

  const std::vector<std::string> forecast{
      "forecast", path("launch"), "--from", "1996-01-17T00:00", "--steps", "2", "--out"};
  auto by_threads = forecast;
  by_threads.insert(by_threads.end(), {path("threads.h5"), "--ranks", "3"});
  auto by_processes = forecast;
  by_processes.push_back(path("processes.h5"));
  ASSERT_EQ(askos(by_threads).exit_code, 0);
  const auto forecast_run = askos(launched(3, by_processes));
  ASSERT_EQ(forecast_run.exit_code, 0) << forecast_run.err;
  EXPECT_TRUE(read(folder_.path() / "processes.h5") == read(folder_.path() / "threads.h5"));
}

/// Runs that the stage `compute` has done on each rank.
std::vector<std::int64_t> runs_of_compute(const Ended& hold) {
  std::vector<std::int64_t> runs;
  const auto answer = io::parse_json(hold.out);
  EXPECT_EQ(answer.at("state").as_string(), "paused");
  for (const auto& stage : answer.at("stages").as_array()) {
    if (stage.at("stage").as_string() == "compute") runs.push_back(stage.at("runs").as_integer());
  }
  return runs;
}

TEST_F(Processes, ArePausedAndSteppedTogether) {
  constexpr int kMany = 20;
  const auto longer = [&](const std::string& name) {
    auto words = training(name);
    words.insert(words.end(), {"--set", "training.steps=" + std::to_string(kMany)});
    return words;
  };
  ASSERT_EQ(askos(launched(2, longer("whole"))).exit_code, 0);
  Program program(ASKOS_PROGRAM, launched(2, longer("held")), folder_.path());
  wait_for_steps("held", 1);
  const auto debug = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--graph", "train", "--as", "test", "--wait", "50 s", "--json"});
    auto ended = askos(words);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended;
  };
  const auto paused = runs_of_compute(debug({"pause"}));
  ASSERT_EQ(paused.size(), 2U);
  EXPECT_EQ(paused[0], paused[1]);
  const auto stepped = runs_of_compute(debug({"step", "3"}));
  EXPECT_EQ(stepped, std::vector<std::int64_t>(2, paused[0] + 3));
  (void)debug({"resume"});
  const auto ended = program.wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(losses("held", kMany), losses("whole", kMany));
}

TEST_F(Processes, BeginHeldTogether) {
  ASSERT_EQ(askos(launched(2, training("whole"))).exit_code, 0);
  auto words = training("held");
  words.emplace_back("--paused");
  Program program(ASKOS_PROGRAM, launched(2, words), folder_.path());
  const auto debug = [&](std::vector<std::string> command) {
    command.insert(command.end(), {"--graph", "train", "--json"});
    return askos(command);
  };
  // A graph that is shown stands held from its first moment on, so the first answer is to be right.
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  auto hold = debug({"hold"});
  while (hold.exit_code != 0 && std::chrono::steady_clock::now() < until) hold = debug({"hold"});
  EXPECT_EQ(runs_of_compute(hold), (std::vector<std::int64_t>{0, 0}));
  const auto set = debug({"set", "compute", "learning_rate", "1e-6"});
  EXPECT_EQ(set.exit_code, 0) << set.err;
  const auto stepped = debug({"step", "3", "--wait", "50 s"});
  EXPECT_EQ(runs_of_compute(stepped), (std::vector<std::int64_t>{3, 3})) << stepped.err;
  EXPECT_EQ(debug({"resume"}).exit_code, 0);
  const auto ended = program.wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(losses("held").front(), losses("whole").front());
  EXPECT_NE(losses("held").back(), losses("whole").back()) << "nothing was set";
}

TEST_F(Processes, StopTogetherAndGoOnToTheSameLosses) {
  ASSERT_EQ(askos(launched(2, training("whole"))).exit_code, 0);
  Program program(ASKOS_PROGRAM, launched(2, training("parts")), folder_.path());
  wait_for_steps("parts", 1);
  program.signal(SIGTERM);
  const auto stopped = program.wait();
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  const auto resumed = askos(launched(2, training("parts")));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(losses("parts"), losses("whole"));
}

TEST_F(Processes, NameAKilledRankAndGoOnToTheSameLosses) {
  ASSERT_EQ(askos(launched(3, training("whole"))).exit_code, 0);
  Program program(ASKOS_PROGRAM, launched(3, training("killed")), folder_.path());
  wait_for_steps("killed", 3);
  ::kill(pid_of(1), SIGKILL);
  const auto ended = program.wait();
  EXPECT_EQ(ended.exit_code, 4) << ended.err;
  for (const char* rank : {"[0] ", "[2] "}) {
    EXPECT_THAT(ended.err,
                HasSubstr(std::string(rank) + "askos: error: a rank was lost: lost=1, "));
  }
  EXPECT_THAT(ended.err, AllOf(HasSubstr("reason='its process ended'"), HasSubstr("host="),
                               HasSubstr("ranks were lost: rank 1='on ")));
  for (const int rank : {0, 2}) {
    EXPECT_TRUE(is_gone(rank)) << "rank " << rank << " is left";
  }
  const auto resumed = askos(launched(3, training("killed")));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(losses("killed"), losses("whole"));
}

TEST_F(Processes, NameAHungRank) {
  auto command = training("hung");
  command.insert(command.end(), {"--set", "run.heartbeat=3 s", "--set", "training.steps=100000"});
  Program program(ASKOS_PROGRAM, launched(2, command), folder_.path());
  wait_for_steps("hung", 1);
  ::kill(pid_of(1), SIGSTOP);
  const auto ended = program.wait();
  EXPECT_EQ(ended.exit_code, 4) << ended.err;
  EXPECT_THAT(ended.err, AllOf(HasSubstr("[0] askos: error: a rank was lost: lost=1, "),
                               HasSubstr("reason='no heartbeat for 3."), HasSubstr("collective="),
                               HasSubstr("stage=compute, rank=0, edge=partition.sample>")));
  EXPECT_TRUE(is_gone(1)) << "the hung rank is left";
}

TEST_F(Processes, RefuseConfigurationsThatDiffer) {
  const auto ended = askos(launched(2, training("differ"), "--set training.seed=$((5 + R))"));
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_EQ(count(ended.err, "ranks of one run differ: training.seed='rank 0 has 5, rank 1 has 6'"),
            1U)
      << ended.err;
  EXPECT_FALSE(fs::exists(folder_.path() / "differ"));
}

TEST_F(Processes, RefuseDatasetsThatDiffer) {
  for (const char* rank : {"0", "1"}) {
    fs::create_directory(folder_.path() / rank);
    const auto file = (folder_.path() / rank / "storm.h5").string();
    ASSERT_EQ(askos({"import", example("import.toml"), "--out", file}).exit_code, 0);
  }
  auto command = training("differ");
  // The same path, but of each rank's own folder.
  command.insert(command.end(), {"--set", "data.file=/proc/self/cwd/storm.h5"});
  auto words = launched(2, command);
  words[6] = "cd $0/$OMPI_COMM_WORLD_RANK; exec \"$@\"";
  const auto ended = askos(words);
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_EQ(count(ended.err, "ranks of one run differ: dataset uuid='rank 0 has "), 1U)
      << ended.err;
}

TEST_F(Processes, ReportWhatAllOfThemMeetOnce) {
  struct Case {
    std::string extra;
    int exit_code;
    std::string told;
  };
  for (const auto& [extra, exit_code, told] :
       {Case{"--set run.ranks_per_model=2", 2, "run.ranks_per_model"},
        Case{"--ranks 3", 2, "--ranks makes ranks of one process"},
        Case{"--set data.file=/nowhere.h5", 2, "/nowhere.h5"}}) {
    const auto ended = askos(launched(3, training("refused"), extra));
    EXPECT_EQ(ended.exit_code, exit_code) << ended.err;
    EXPECT_EQ(count(ended.err, "askos: error: "), 1U) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(told));
    EXPECT_FALSE(fs::exists(folder_.path() / "refused"));
  }
}

}  // namespace
}  // namespace askos::apps
