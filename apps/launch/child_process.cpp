// SPDX-License-Identifier: Apache-2.0
#include "launch/child_process.hpp"

#include <askos/base/error.hpp>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace askos::apps {
namespace {

using Pipe = std::array<int, 2>;

Error fault(const char* what) {
  return Error(Errc::kEnvironment, what).with("reason", std::strerror(errno));
}

Pipe make_pipe() {
  Pipe ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw fault("cannot make a pipe");
  }
  return ends;
}

/// What the new process does before it becomes the program; leaves the reason in `failed` if it
/// cannot.
[[noreturn]] void become(char** words, int out, int err, int signal_on_orphan, int failed) {
  ::setpgid(0, 0);
  if (signal_on_orphan != 0) {
    ::prctl(PR_SET_PDEATHSIG, signal_on_orphan);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGXFSZ, SIG_DFL);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  if (out >= 0) {
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
  }
  ::execvp(words[0], words);
  const int reason = errno;
  (void)!::write(failed, &reason, sizeof reason);
  ::_exit(127);
}

}  // namespace

ProcessEnd ProcessEnd::of(int wait_status) noexcept {
  if (WIFSIGNALED(wait_status)) {
    return {.code = 128 + WTERMSIG(wait_status), .signal = WTERMSIG(wait_status)};
  }
  return {.code = WEXITSTATUS(wait_status), .signal = 0};
}

ChildProcess::ChildProcess(const ChildOptions& options) {
  const Pipe failed = make_pipe();
  const Pipe out = options.pipes ? make_pipe() : Pipe{-1, -1};
  const Pipe err = options.pipes ? make_pipe() : Pipe{-1, -1};
  auto texts = options.command;
  std::vector<char*> words;
  for (auto& text : texts) words.push_back(text.data());
  words.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) {
    throw fault("cannot start a process");
  }
  if (pid_ == 0) {
    for (const auto& variable : options.environment) {
      const auto middle = variable.find('=');
      ::setenv(variable.substr(0, middle).c_str(), variable.substr(middle + 1).c_str(), 1);
    }
    become(words.data(), out[1], err[1], options.signal_on_orphan, failed[1]);
  }
  ::setpgid(pid_, pid_);  // here too, so that it holds whoever comes first
  for (const int end : {failed[1], out[1], err[1]}) {
    if (end >= 0) ::close(end);
  }
  out_ = out[0];
  err_ = err[0];
  for (const int end : {out_, err_}) {
    if (end >= 0) ::fcntl(end, F_SETFL, O_NONBLOCK);
  }
  int reason = 0;
  const bool has_failed = ::read(failed[0], &reason, sizeof reason) == sizeof reason;
  ::close(failed[0]);
  if (has_failed) {
    ::waitpid(pid_, nullptr, 0);
    throw Error(Errc::kEnvironment, "cannot start a program")
        .with("program", options.command.front())
        .with("reason", std::strerror(reason));
  }
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      end_(other.end_) {}

ChildProcess::~ChildProcess() {
  if (pid_ != 0 && !end_) {
    send_group(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int end : {out_, err_}) {
    if (end >= 0) ::close(end);
  }
}

void ChildProcess::send(int signal) const noexcept {
  if (pid_ != 0 && !end_) {
    ::kill(pid_, signal);
  }
}

void ChildProcess::send_group(int signal) const noexcept {
  if (pid_ != 0) {
    ::kill(-pid_, signal);  // others of the group may live on
  }
}

std::optional<ProcessEnd> ChildProcess::poll() noexcept {
  int status = 0;
  if (!end_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    end_ = ProcessEnd::of(status);
  }
  return end_;
}

}  // namespace askos::apps
