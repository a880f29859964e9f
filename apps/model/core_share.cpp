// SPDX-License-Identifier: Apache-2.0
#include "core_share.hpp"

#include <askos/comm/agreement.hpp>

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>
#include <thread>

namespace askos::apps {
namespace {

/// A process's host, its number of cores, and which of them the process may run on.
struct Seat {
  std::string host;
  int num_cores = 1;
  std::string cores;  ///< one digit each
};

Seat own_seat() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  std::string cores(CPU_SETSIZE, '0');
  for (std::size_t core = 0; core < cores.size(); ++core) {
    cores[core] = CPU_ISSET(core, &allowed) ? '1' : '0';
  }
  return {host.data(), std::max(1, static_cast<int>(std::thread::hardware_concurrency())),
          cores.substr(0, cores.rfind('1') + 1)};
}

std::string to_text(const Seat& seat) {
  return seat.host + " " + std::to_string(seat.num_cores) + " " + seat.cores;
}

Seat to_seat(const std::string& text) {
  Seat seat;
  std::istringstream(text) >> seat.host >> seat.num_cores >> seat.cores;
  return seat;
}

std::string warning(const std::string& host, int num_ranks, int num_cores) {
  return "more ranks than cores, which is for trying out only: host=" + host +
         ", ranks=" + std::to_string(num_ranks) + ", cores=" + std::to_string(num_cores);
}

}  // namespace

CoreShare exchange_core_shares(comm::Communicator* processes, int num_ranks) {
  const auto own = own_seat();
  CoreShare share;
  if (processes == nullptr) {
    if (num_ranks > own.num_cores) {
      share.warnings.push_back(warning(own.host, num_ranks, own.num_cores));
    }
    return share;
  }
  std::map<std::string, std::vector<Seat>> by_host;
  for (const auto& text : comm::exchange_texts(*processes, to_text(own))) {
    const auto seat = to_seat(text);
    by_host[seat.host].push_back(seat);
  }
  for (const auto& [host, seats] : by_host) {
    const int num_here = static_cast<int>(seats.size());
    if (num_here > seats.front().num_cores) {
      share.warnings.push_back(warning(host, num_here, seats.front().num_cores));
    }
  }
  const auto num_sharing = std::ranges::count(by_host[own.host], own.cores, &Seat::cores);
  const auto num_allowed = std::ranges::count(own.cores, '1');
  share.num_threads = std::max(1, static_cast<int>(num_allowed / num_sharing));
  return share;
}

}  // namespace askos::apps
