// SPDX-License-Identifier: Apache-2.0
#include "launch/signal_queue.hpp"

#include <askos/base/error.hpp>

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace askos::apps {

SignalQueue::SignalQueue(const std::vector<int>& signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) {
    sigaddset(&set, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  descriptor_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor_ < 0) {
    throw Error(Errc::kEnvironment, "cannot wait for signals").with("reason", std::strerror(errno));
  }
}

SignalQueue::~SignalQueue() {
  ::close(descriptor_);
}

std::optional<int> SignalQueue::next() noexcept {
  signalfd_siginfo info{};
  if (::read(descriptor_, &info, sizeof info) != sizeof info) {
    return std::nullopt;
  }
  return static_cast<int>(info.ssi_signo);
}

}  // namespace askos::apps
