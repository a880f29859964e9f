// SPDX-License-Identifier: Apache-2.0
#include "program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace askos::apps {
namespace {

constexpr int kDeadlineMilliseconds = 60'000;

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) {
    pointers.push_back(string.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

Program::Program(const std::filesystem::path& program,
                 const std::vector<std::string>& arguments,
                 const std::filesystem::path& folder,
                 const std::vector<std::string>& environment) {
  std::string name = (folder / "output-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("cannot make " + name);
  }
  out_ = std::filesystem::path(name) / "out";
  err_ = std::filesystem::path(name) / "err";

  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = environment;
  variables.push_back("XDG_RUNTIME_DIR=" + folder.string());
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("XDG_RUNTIME_DIR=")) {
      variables.emplace_back(*entry);
    }
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  const int flags = O_WRONLY | O_CREAT | O_TRUNC;
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), flags, 0600);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_.c_str(), flags, 0600);
  const int fault = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, pointers(words).data(),
                                  pointers(variables).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (fault != 0) {
    throw std::runtime_error("cannot start " + program.string());
  }
}

Program::~Program() {
  if (pid_ != 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

void Program::signal(int number) const {
  ::kill(pid_, number);
}

Ended Program::wait() {
  const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  if (::poll(&entry, 1, kDeadlineMilliseconds) == 0) {
    ::kill(pid_, SIGKILL);
  }
  ::close(descriptor);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = 0;
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = read_file(out_),
          .err = read_file(err_)};
}

std::string program_beside_this(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

Ended run_with_small_files(int kibibytes,
                           const std::filesystem::path& program,
                           const std::vector<std::string>& arguments,
                           const std::filesystem::path& folder) {
  const int blocks = 2 * kibibytes;  // POSIX: of 512 bytes
  std::vector<std::string> words{"-c", "ulimit -f " + std::to_string(blocks) + "; exec \"$@\"",
                                 "sh", program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return Program("/bin/sh", words, folder).wait();
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "askos-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("cannot make " + name);
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ / name) << text;
  return (path_ / name).string();
}

}  // namespace askos::apps
