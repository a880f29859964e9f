// SPDX-License-Identifier: Apache-2.0
#include "launch/fleets.hpp"

#include "launch/rank_report.hpp"

#include <askos/base/error.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace askos::apps {
namespace {

/// The command line of a rank's supervisor: this program again.
std::vector<std::string> supervised(const std::vector<std::string>& command, bool on_gpu) {
  std::vector<std::string> words{std::filesystem::read_symlink("/proc/self/exe").string(), "launch",
                                 "--supervise"};
  if (on_gpu) words.emplace_back("--gpus");
  words.emplace_back("--");
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

/// Returns `port`, or a free one for 0, after having tried that it can be listened on.
std::uint16_t try_port(const std::string& address, std::uint16_t port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(port);
  if (::inet_pton(AF_INET, address.c_str(), &place.sin_addr) != 1) {
    throw Error(Errc::kUsage, "not an IPv4 address").with("--master-address", address);
  }
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  socklen_t size = sizeof place;
  auto* const generic = reinterpret_cast<sockaddr*>(&place);
  const bool good = ::bind(descriptor, generic, size) == 0 && ::listen(descriptor, 1) == 0 &&
                    ::getsockname(descriptor, generic, &size) == 0;
  const int reason = errno;
  ::close(descriptor);
  if (!good) {
    throw Error(Errc::kEnvironment, "cannot listen on the ranks' meeting point")
        .with("address", address + ":" + std::to_string(port))
        .with("reason", std::strerror(reason));
  }
  return ntohs(place.sin_port);
}

void set_unless_set(std::vector<std::string>& environment, const char* name, const char* value) {
  if (std::getenv(name) == nullptr) {
    environment.push_back(std::string(name) + "=" + value);
  }
}

}  // namespace

Fleet start_mpi_fleet(const MpiFleetOptions& options) {
  std::vector<std::string> words{"mpirun", "-q", "-n", std::to_string(options.num_ranks)};
  const auto add = [&](std::initializer_list<const char*> more) {
    words.insert(words.end(), more.begin(), more.end());
  };
  add({"--tag-output", "--oversubscribe", "--bind-to", "none"});
  if (options.hosts.empty()) {
    add({"--mca", "plm", "isolated"});  // asks for no ssh
  } else {
    add({"--host", options.hosts.c_str()});
  }
  if (!options.interface.empty()) {
    const auto* const name = options.interface.c_str();
    add({"--mca", "btl_tcp_if_include", name, "--mca", "oob_tcp_if_include", name});
    words.insert(words.end(), {"-x", "ASKOS_INTERFACE=" + options.interface});
  }
  const auto supervisor = supervised(options.command, options.on_gpu);
  words.insert(words.end(), supervisor.begin(), supervisor.end());
  std::vector<std::string> environment{"OMPI_ALLOW_RUN_AS_ROOT=1",
                                       "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"};
  Fleet fleet;
  fleet.num_ranks = options.num_ranks;
  fleet.members.push_back({ChildProcess({.command = words,
                                         .environment = environment,
                                         .pipes = true,
                                         .signal_on_orphan = SIGTERM}),
                           std::nullopt});
  return fleet;
}

Fleet start_gpu_fleet(const GpuFleetOptions& options) {
  const auto port = try_port(options.master_address, options.master_port);
  Fleet fleet;
  fleet.num_ranks = options.num_ranks;
  for (int rank = 0; rank < options.num_ranks; ++rank) {
    const auto number = std::to_string(rank);
    const auto size = std::to_string(options.num_ranks);
    std::vector<std::string> environment{"RANK=" + number,
                                         "LOCAL_RANK=" + number,
                                         "WORLD_SIZE=" + size,
                                         "LOCAL_WORLD_SIZE=" + size,
                                         "MASTER_ADDR=" + options.master_address,
                                         "MASTER_PORT=" + std::to_string(port)};
    set_unless_set(environment, "CUDA_DEVICE_ORDER", "PCI_BUS_ID");
    if (options.num_gpus < options.num_ranks) {
      // NCCL refuses two ranks of one host on one GPU.
      environment.push_back("NCCL_HOSTID=askos-rank-" + number);
      set_unless_set(environment, "NCCL_SOCKET_IFNAME", "lo");
      set_unless_set(environment, "NCCL_IB_DISABLE", "1");
    }
    fleet.members.push_back({ChildProcess({.command = supervised(options.command, true),
                                           .environment = environment,
                                           .pipes = true,
                                           .signal_on_orphan = kOrderKill}),
                             rank});
  }
  return fleet;
}

}  // namespace askos::apps
