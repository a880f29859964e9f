// SPDX-License-Identifier: Apache-2.0
// The rendezvous of processes that meet at MASTER_ADDR, as torchrun and `askos launch --gpus` start
// them.
#pragma once

#include <askos/base/clock.hpp>
#include <askos/comm/rendezvous.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace askos::apps {

/// A process's place as its launcher's variables tell it.
struct MasterPlace {
  int rank = 0;               ///< RANK
  int size = 1;               ///< WORLD_SIZE
  int local_rank = 0;         ///< LOCAL_RANK: which GPU of its host it takes
  std::string host;           ///< MASTER_ADDR
  std::uint16_t port = 0;     ///< MASTER_PORT
  bool agent_serves = false;  ///< torchrun's agent keeps the store, not rank 0
  bool is_torchruns = true;   ///< else mpirun's or srun's
};

/// Returns nothing if RANK is not set, nor MASTER_ADDR beside the numbers that mpirun or srun give
/// their processes. Throws `Errc::kInvalidInput` naming a variable that is missing beside these or
/// makes no sense.
[[nodiscard]] std::optional<MasterPlace> find_master_place();

/// Opens the store (c10d's TCPStore) at the place's address; rank 0 keeps it, unless an agent does,
/// as long as its rendezvous lives. Throws `Errc::kEnvironment` if the port is taken, or with the
/// address and the time if nobody answers there within `deadline`.
[[nodiscard]] std::shared_ptr<comm::Rendezvous> open_store_rendezvous(
    const MasterPlace& place, Nanoseconds deadline = std::chrono::seconds(60));

}  // namespace askos::apps
