// SPDX-License-Identifier: Apache-2.0
#include "command_line/stop_signal.hpp"

#include <askos/base/error.hpp>

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace askos::apps {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  descriptor_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor_ < 0) {
    throw Error(Errc::kEnvironment, "cannot wait for signals").with("reason", std::strerror(errno));
  }
}

StopSignal::~StopSignal() {
  close(descriptor_);
}

bool StopSignal::arrived() {
  signalfd_siginfo info{};
  if (!arrived_ && read(descriptor_, &info, sizeof(info)) == sizeof(info)) {
    arrived_ = true;
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }
  return arrived_;
}

}  // namespace askos::apps
