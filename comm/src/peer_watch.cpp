// SPDX-License-Identifier: Apache-2.0
#include "peer_watch.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace askos::comm {
namespace {

std::string seconds(Nanoseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f s", std::chrono::duration<double>(time).count());
  return text.data();
}

bool has_ended(int descriptor) noexcept {
  pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) > 0;
}

}  // namespace

PeerPlace own_place() {
  PeerPlace place{.pid = ::getpid()};
  ::gethostname(place.host.data(), place.host.size() - 1);
  std::ifstream("/proc/sys/kernel/random/boot_id").read(place.kernel.data(), 36);
  struct stat status{};
  if (::stat("/proc/self/ns/pid", &status) == 0) {
    place.pid_namespace = status.st_ino;
  }
  return place;
}

PeerWatch::PeerWatch(const std::vector<PeerPlace>& places, int own_rank, Nanoseconds now)
    : own_rank_(own_rank), looked_at_(now) {
  const auto& own = places[static_cast<std::size_t>(own_rank)];
  for (const auto& place : places) {
    const bool is_near = place.kernel == own.kernel && place.pid_namespace == own.pid_namespace;
    const bool watch = is_near && place.pid != own.pid;
    peers_.push_back(
        {.peer = {.host = place.host.data(), .pid = place.pid},
         .descriptor = watch ? static_cast<int>(::syscall(SYS_pidfd_open, place.pid, 0)) : -1,
         .heard_at = now});
  }
}

PeerWatch::~PeerWatch() {
  for (const auto& each : peers_) {
    if (each.descriptor >= 0) {
      ::close(each.descriptor);
    }
  }
}

std::optional<PeerWatch::Lost> PeerWatch::find_lost(Nanoseconds now, Nanoseconds heartbeat) {
  const auto absent = now - looked_at_;
  looked_at_ = now;
  if (absent > heartbeat / 4) {
    for (auto& each : peers_) {
      each.heard_at += absent;
    }
  }
  for (std::size_t r = 0; r < peers_.size(); ++r) {
    if (peers_[r].descriptor >= 0 && has_ended(peers_[r].descriptor)) {
      return Lost{static_cast<int>(r), "its process ended"};
    }
  }
  for (std::size_t r = 0; r < peers_.size() && heartbeat.count() > 0; ++r) {
    if (static_cast<int>(r) != own_rank_ && now - peers_[r].heard_at > heartbeat) {
      return Lost{static_cast<int>(r), "no heartbeat for " + seconds(now - peers_[r].heard_at)};
    }
  }
  return std::nullopt;
}

}  // namespace askos::comm
