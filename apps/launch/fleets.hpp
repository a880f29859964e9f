// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "launch/launcher.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace askos::apps {

struct MpiFleetOptions {
  int num_ranks = 1;
  std::string hosts;      ///< `a:2,b:2`, as mpirun's --host; empty: this one
  std::string interface;  ///< that ranks of several hosts use; empty: any
  bool on_gpu = false;
  std::vector<std::string> command;
};

/// Starts the ranks by mpirun: as root too, more of them than cores if need be, placed by their
/// supervisors. Throws `Errc::kEnvironment` if there is no mpirun.
[[nodiscard]] Fleet start_mpi_fleet(const MpiFleetOptions& options);

struct GpuFleetOptions {
  int num_ranks = 1;
  std::string master_address = "127.0.0.1";
  std::uint16_t master_port = 0;  ///< 0: one that is free
  int num_gpus = 1;               ///< of this host
  std::vector<std::string> command;
};

/// Starts a process for each GPU of this host, with the variables that torchrun sets: RANK,
/// WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT. Throws `Errc::kEnvironment`
/// if the port is taken.
[[nodiscard]] Fleet start_gpu_fleet(const GpuFleetOptions& options);

}  // namespace askos::apps
