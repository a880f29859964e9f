// SPDX-License-Identifier: Apache-2.0
// `askos launch` from outside: real processes, of the shell.
#include "apps/support/program.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace askos::apps {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kDeadline = std::chrono::seconds(40);

class Launch : public ::testing::Test {
 protected:
  std::vector<std::string> words(const std::vector<std::string>& options,
                                 const std::string& script) const {
    std::vector<std::string> all{"launch"};
    all.insert(all.end(), options.begin(), options.end());
    for (const auto& word : {std::string("--"), std::string("sh"), std::string("-c"), script,
                             std::string("rank"), folder_.path().string()}) {
      all.push_back(word);
    }
    return all;
  }

  /// Runs a shell script on each rank; its `$1` is the test's folder, `$R` its rank.
  Ended launch(const std::vector<std::string>& options, const std::string& script) const {
    return Program(ASKOS_PROGRAM, words(options, kRank + script), folder_.path()).wait();
  }

  /// The number that a rank has written into `name`, once it is there.
  int number_in(const std::string& name) const {
    const auto until = std::chrono::steady_clock::now() + kDeadline;
    while (std::chrono::steady_clock::now() < until) {
      std::string text;
      if (std::getline(std::ifstream(folder_.path() / name), text) && !text.empty()) {
        return std::stoi(text);
      }
      std::this_thread::yield();
    }
    ADD_FAILURE() << name << " was never written";
    return -1;
  }

  /// Waits for the end of a process that need not be a child; false if it does not come.
  static bool ends(int pid) {
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (descriptor < 0) {
      return true;
    }
    pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
    const bool ended =
        ::poll(&entry, 1, static_cast<int>(std::chrono::milliseconds(kDeadline).count())) > 0;
    ::close(descriptor);
    return ended;
  }

  static constexpr const char* kRank = "R=${OMPI_COMM_WORLD_RANK:-$RANK}; ";
  /// Writes the pid into a file whole or not at all, then stays.
  static constexpr const char* kStay =
      "echo $$ > $1/t$R; mv $1/t$R $1/pid$R; exec tail -f /dev/null";

  TemporaryFolder folder_;
};

TEST_F(Launch, PutsTheRankBeforeEachLineAndSaysWhereRanksRun) {
  const auto ended = launch({"-n", "3"}, "echo out $R; echo err $R >&2");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  for (const std::string rank : {"0", "1", "2"}) {
    EXPECT_THAT(ended.out, HasSubstr("[" + rank + "] out " + rank + "\n"));
    EXPECT_THAT(ended.err, HasSubstr("[" + rank + "] err " + rank + "\n"));
    EXPECT_THAT(ended.err, HasSubstr("askos launch: rank " + rank + " on "));
  }
}

TEST_F(Launch, ReturnsTheFirstCodeThatIsNotZero) {
  const auto ended = launch({"-n", "2", "--quiet"}, "[ $R = 0 ] || exit 7");
  EXPECT_EQ(ended.exit_code, 7) << ended.err;
  EXPECT_EQ(ended.out, "");
}

TEST_F(Launch, NamesALostRankAndReturnsFour) {
  const auto ended =
      launch({"-n", "2", "--grace", "100 ms"}, "[ $R = 0 ] || kill -9 $$; exec tail -f /dev/null");
  EXPECT_EQ(ended.exit_code, 4) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("ranks were lost: rank 1='on "));
  EXPECT_THAT(ended.err, HasSubstr("ended by signal 9'"));
  EXPECT_THAT(ended.err, Not(HasSubstr("rank 0='")));
}

TEST_F(Launch, GivesTheOtherRanksTimeToEndByThemselves) {
  const auto ended =
      launch({"-n", "2"},
             "echo $$ > $1/t$R; mv $1/t$R $1/pid$R; [ $R = 0 ] || kill -9 $$; "
             "while [ ! -f $1/pid1 ] || kill -0 $(cat $1/pid1) 2>/dev/null; do :; done; "
             "echo rank 1 is gone; exit 4");
  EXPECT_EQ(ended.exit_code, 4) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("[0] rank 1 is gone"));
}

TEST_F(Launch, LeavesNobodyBehind) {
  const auto ended = launch({"-n", "2", "--grace", "100 ms"},
                            "[ $R = 0 ] || { while [ ! -f $1/pid0 ]; do :; done; exit 3; }; "
                            "trap '' TERM; (trap '' TERM; exec tail -f /dev/null) & " +
                                std::string(kStay));
  EXPECT_EQ(ended.exit_code, 3) << ended.err;
  EXPECT_TRUE(ends(number_in("pid0")));
}

TEST_F(Launch, EndsStoppedRanksToo) {
  Program program(ASKOS_PROGRAM,
                  words({"-n", "2", "--grace", "100 ms"}, kRank + std::string(kStay)),
                  folder_.path());
  const int stopped = number_in("pid0");
  ::kill(stopped, SIGSTOP);
  ::kill(number_in("pid1"), SIGKILL);
  EXPECT_EQ(program.wait().exit_code, 4);
  EXPECT_TRUE(ends(stopped));
}

TEST_F(Launch, PassesSignalsOn) {
  const auto script =
      "trap 'echo ends; exit 0' TERM; trap 'echo told' USR1; "
      "echo $$ > $1/t$R; mv $1/t$R $1/pid$R; tail -f /dev/null & while :; do wait $!; done";
  Program program(ASKOS_PROGRAM, words({"-n", "2", "--quiet"}, kRank + std::string(script)),
                  folder_.path());
  (void)number_in("pid0");
  (void)number_in("pid1");
  program.signal(SIGTERM);
  const auto ended = program.wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("[0] ends"));
  EXPECT_THAT(ended.out, HasSubstr("[1] ends"));
}

TEST_F(Launch, TakesItsRanksWithItWhenItIsKilled) {
  Program program(ASKOS_PROGRAM, words({"-n", "2"}, kRank + std::string(kStay)), folder_.path());
  const int first = number_in("pid0");
  const int second = number_in("pid1");
  program.signal(SIGKILL);
  (void)program.wait();
  EXPECT_TRUE(ends(first));
  EXPECT_TRUE(ends(second));
}

TEST_F(Launch, SetsTheVariablesOfTorchrunOnGpus) {
  const auto ended = launch({"--gpus", "-n", "2", "--quiet"},
                            "echo $RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $MASTER_ADDR "
                            "${MASTER_PORT:+port} $NCCL_HOSTID");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("[0] 0 2 0 2 127.0.0.1 port"));
  EXPECT_THAT(ended.out, HasSubstr("[1] 1 2 1 2 127.0.0.1 port"));
}

TEST_F(Launch, NamesALostRankOnGpusToo) {
  const auto ended = launch({"--gpus", "-n", "2", "--grace", "100 ms"},
                            "[ $R = 0 ] || kill -9 $$; exec tail -f /dev/null");
  EXPECT_EQ(ended.exit_code, 4) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("ranks were lost: rank 1='on "));
}

TEST_F(Launch, RefusesAPortThatIsTaken) {
  const int taken = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof place;
  auto* const generic = reinterpret_cast<sockaddr*>(&place);
  ASSERT_EQ(::bind(taken, generic, size), 0);
  ASSERT_EQ(::listen(taken, 1), 0);
  ASSERT_EQ(::getsockname(taken, generic, &size), 0);
  const auto port = std::to_string(ntohs(place.sin_port));
  const auto ended = launch({"--gpus", "-n", "2", "--master-port", port}, "true");
  ::close(taken);
  EXPECT_EQ(ended.exit_code, 6);
  EXPECT_THAT(ended.err, HasSubstr("address=127.0.0.1:" + port));
}

TEST_F(Launch, NamesAProgramThatIsNotThere) {
  const auto ended =
      Program(ASKOS_PROGRAM, {"launch", "-n", "2", "--", "/nowhere/program"}, folder_.path())
          .wait();
  EXPECT_EQ(ended.exit_code, 6);
  EXPECT_THAT(ended.err, HasSubstr("cannot start a program: program=/nowhere/program"));
}

TEST_F(Launch, AsksForTheNumberOfRanks) {
  const auto ended = launch({}, "true");
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("how many ranks"));
}

}  // namespace
}  // namespace askos::apps
