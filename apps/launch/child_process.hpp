// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace askos::apps {

/// How a process ended, as a shell counts: its exit code, or 128 + the signal that ended it.
struct ProcessEnd {
  int code = 0;
  int signal = 0;  ///< 0: it ended by itself

  [[nodiscard]] static ProcessEnd of(int wait_status) noexcept;
};

struct ChildOptions {
  std::vector<std::string> command;      ///< the program is looked up in PATH
  std::vector<std::string> environment;  ///< `NAME=value`, on top of this process's
  bool pipes = false;        ///< read its output; else it writes where this process does
  int signal_on_orphan = 0;  ///< sent to it if this process dies; 0: none
};

/// A process that this one started, in a process group of its own, with no signal blocked and
/// nothing to read.
class ChildProcess {
 public:
  /// Throws `Errc::kEnvironment` if the program cannot be started.
  explicit ChildProcess(const ChildOptions& options);
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Non-blocking ends of the pipes of its stdout and stderr, or -1.
  [[nodiscard]] int out() const noexcept { return out_; }
  [[nodiscard]] int err() const noexcept { return err_; }

  /// Sends a signal to the process, or to its whole group. Nothing happens once it has ended.
  void send(int signal) const noexcept;
  void send_group(int signal) const noexcept;

  /// Tells how it ended, if it has; does not block.
  [[nodiscard]] std::optional<ProcessEnd> poll() noexcept;

 private:
  pid_t pid_ = 0;
  int out_ = -1;
  int err_ = -1;
  std::optional<ProcessEnd> end_;
};

}  // namespace askos::apps
