// SPDX-License-Identifier: Apache-2.0
#include "launch/supervisor.hpp"

#include "launch/child_process.hpp"
#include "launch/rank_report.hpp"
#include "launch/signal_queue.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/placement.hpp>

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <utility>

namespace askos::apps {
namespace {

/// A supervisor of a failed rank that nobody tells to leave, as when its host was cut off, leaves
/// after this, with the daemon that started it.
constexpr Nanoseconds kPatience = std::chrono::seconds(20);
/// A command that was asked to end is killed after this.
constexpr Nanoseconds kGrace = std::chrono::milliseconds(700);

int number_in(std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names) {
    if (const char* text = std::getenv(name)) {
      return std::atoi(text);
    }
  }
  return otherwise;
}

void report(const RankReport& what) {
  std::cerr << (kReportMark + to_text(what) + "\n") << std::flush;
}

comm::Placement settle_in(bool on_gpu) {
  const comm::LocalSeat seat{
      .rank = number_in({"OMPI_COMM_WORLD_LOCAL_RANK", "LOCAL_RANK"}, 0),
      .num_ranks = number_in({"OMPI_COMM_WORLD_LOCAL_SIZE", "LOCAL_WORLD_SIZE"}, 1),
      .on_gpu = on_gpu};
  auto placement = comm::place(seat);
  comm::bind_to(placement);
  return placement;
}

std::string host_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return host.data();
}

/// Looks after one command until it is over and everybody knows.
class Supervisor {
 public:
  explicit Supervisor(ChildProcess child) : child_(std::move(child)) {}

  void run(SignalQueue& signals) {
    while (!leaves_) {
      pollfd entry{.fd = signals.descriptor(), .events = POLLIN, .revents = 0};
      (void)::poll(&entry, 1, static_cast<int>(milliseconds_left()));
      while (const auto signal = signals.next()) {
        obey(*signal);
      }
      if (until_ && clock_.now() >= *until_) {
        give_up();
      }
      if (!reported_ && child_.poll()) {
        reported_ = true;
        report(RankEnded{*child_.poll()});
        // After success others may go on for as long as they like.
        if (child_.poll()->code != 0) until_ = clock_.now() + kPatience;
        leaves_ |= is_killed_;
      }
    }
    child_.send_group(SIGKILL);  // what the command may have left behind
  }

 private:
  void obey(int signal) {
    switch (signal) {
      case SIGCHLD: break;
      case kOrderEnd: child_.send(SIGTERM); break;
      case kOrderLeave: leaves_ = reported_; break;
      case kOrderKill:
        is_killed_ = true;
        leaves_ |= reported_;
        child_.send(SIGTERM);
        until_ = clock_.now() + kGrace;
        break;
      default: child_.send(signal);
    }
  }

  void give_up() {
    if (reported_ && !is_killed_ && std::getenv("OMPI_COMM_WORLD_RANK") != nullptr) {
      ::kill(::getppid(), SIGKILL);  // mpirun's daemon of a host that was cut off would stay
    }
    leaves_ |= reported_;
    child_.send_group(SIGKILL);
    until_.reset();
  }

  [[nodiscard]] std::int64_t milliseconds_left() const {
    if (!until_) {
      return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until_ - clock_.now());
    return std::max<std::int64_t>(left.count(), 0);
  }

  ChildProcess child_;
  Clock& clock_ = steady_clock();
  std::optional<Nanoseconds> until_;
  bool is_killed_ = false;
  bool reported_ = false;
  bool leaves_ = false;
};

}  // namespace

int supervise(const std::vector<std::string>& command, bool on_gpu) {
  SignalQueue signals(
      {SIGCHLD, SIGUSR1, SIGUSR2, SIGINT, SIGHUP, kOrderEnd, kOrderLeave, kOrderKill});
  ::prctl(PR_SET_PDEATHSIG, kOrderKill);  // nobody is left behind if the launcher dies
  const auto placement = settle_in(on_gpu);
  report(RankPlaced{host_name(), placement.to_text()});
  std::optional<ChildProcess> child;
  try {
    child.emplace(ChildOptions{
        .command = command, .environment = {}, .pipes = false, .signal_on_orphan = SIGKILL});
  } catch (const Error& error) {
    std::cerr << "askos: error: " << error.what() << "\n";
    report(RankEnded{{.code = exit_code(error.code()), .signal = 0}});
    return 0;
  }
  Supervisor(std::move(*child)).run(signals);
  return 0;
}

}  // namespace askos::apps
