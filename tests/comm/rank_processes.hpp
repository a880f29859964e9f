// SPDX-License-Identifier: Apache-2.0
// A test program that starts itself again, once per rank.
#pragma once

#include <askos/base/clock.hpp>
#include <askos/comm/device_ranks.hpp>

#include <cuda_runtime_api.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace askos::comm {

constexpr int kSkipped = 77;  ///< exit code that ctest shows as a skipped test

inline int num_gpus() {
  int num = 0;
  return cudaGetDeviceCount(&num) == cudaSuccess ? num : 0;
}

/// What the starting process tells its ranks, in their environment.
struct RankPlace {
  int rank = 0;
  int size = 1;
  std::filesystem::path folder;  ///< shared by all ranks of this test, for their rendezvous

  [[nodiscard]] static bool is_given() { return std::getenv("ASKOS_TEST_RANK") != nullptr; }
  [[nodiscard]] static RankPlace take() {
    return {.rank = std::atoi(std::getenv("ASKOS_TEST_RANK")),
            .size = std::atoi(std::getenv("ASKOS_TEST_SIZE")),
            .folder = std::getenv("ASKOS_TEST_FOLDER")};
  }
  [[nodiscard]] DeviceOptions device_options() const { return {.device = rank % num_gpus()}; }
};

/// The rank processes of one test. Ends those that are left when it goes.
class RankProcesses {
 public:
  /// Starts `size` times this program with `arguments`. Ranks that share a GPU pretend to be hosts.
  RankProcesses(int size, std::vector<std::string> arguments) {
    std::string name = std::filesystem::temp_directory_path() / "askos_ranks_XXXXXX";
    folder_ = ::mkdtemp(name.data());
    std::filesystem::create_directory(folder_ / "meeting");
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const bool shares = size > num_gpus();
    for (int rank = 0; rank < size; ++rank) {
      const pid_t child = ::fork();
      if (child != 0) {
        children_.push_back(child);
        continue;
      }
      ::setenv("ASKOS_TEST_RANK", std::to_string(rank).c_str(), 1);
      ::setenv("ASKOS_TEST_SIZE", std::to_string(size).c_str(), 1);
      ::setenv("ASKOS_TEST_FOLDER", folder_.c_str(), 1);
      if (shares) {
        ::setenv("NCCL_HOSTID", ("rank" + std::to_string(rank)).c_str(), 1);
        ::setenv("NCCL_SOCKET_IFNAME", "lo", 1);
        ::setenv("NCCL_IB_DISABLE", "1", 1);
      }
      ::execv("/proc/self/exe", argv.data());
      ::_exit(127);
    }
    codes_.resize(children_.size(), kRunning);
  }
  ~RankProcesses() {
    for (std::size_t r = 0; r < children_.size(); ++r) {
      if (codes_[r] == kRunning) {
        ::kill(children_[r], SIGKILL);
        ::waitpid(children_[r], nullptr, 0);
      }
    }
    std::filesystem::remove_all(folder_);
  }
  RankProcesses(const RankProcesses&) = delete;
  RankProcesses& operator=(const RankProcesses&) = delete;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  void kill(int rank) { ::kill(children_[static_cast<std::size_t>(rank)], SIGKILL); }

  static constexpr int kRunning = -1;
  /// Waits until all have ended, or for `deadline`. Returns exit codes, 128 + signal, or kRunning.
  const std::vector<int>& wait(Nanoseconds deadline) {
    const auto until = steady_clock().now() + deadline;
    const auto runs = [](int code) { return code == kRunning; };
    while (std::ranges::any_of(codes_, runs) && steady_clock().now() < until) {
      for (std::size_t r = 0; r < children_.size(); ++r) {
        int status = 0;
        if (codes_[r] == kRunning && ::waitpid(children_[r], &status, WNOHANG) > 0) {
          codes_[r] = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return codes_;
  }

 private:
  std::filesystem::path folder_;
  std::vector<pid_t> children_;
  std::vector<int> codes_;
};

/// Takes `--ranks=N` out of the arguments. Returns N, or 2.
inline int take_num_ranks(std::vector<std::string>& arguments) {
  int num_ranks = 2;
  std::erase_if(arguments, [&](const std::string& argument) {
    return std::sscanf(argument.c_str(), "--ranks=%d", &num_ranks) == 1;
  });
  return num_ranks;
}

}  // namespace askos::comm
