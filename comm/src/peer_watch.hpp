// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace askos::comm {

/// Where a process runs; sent between processes as it is.
struct PeerPlace {
  std::array<char, 64> host{};    ///< ends with a zero
  std::array<char, 40> kernel{};  ///< boot id: two processes see the same iff one kernel runs both
  std::uint64_t pid_namespace = 0;
  std::int32_t pid = 0;
};

/// Returns this process's.
[[nodiscard]] PeerPlace own_place();

/// Tells which of the other processes of a run have ended or fallen silent. One thread, except for
/// `peer`.
class PeerWatch {
 public:
  struct Peer {
    std::string host;
    int pid = 0;
  };
  struct Lost {
    int rank = 0;
    std::string reason;  ///< `its process ended`, `no heartbeat for 2.0 s`
  };

  /// `places` by rank. A process of the own host is watched itself as well: its end is seen at
  /// once.
  PeerWatch(const std::vector<PeerPlace>& places, int own_rank, Nanoseconds now);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  [[nodiscard]] const Peer& peer(int rank) const {
    return peers_[static_cast<std::size_t>(rank)].peer;
  }

  void heard_from(int rank, Nanoseconds now) noexcept {
    peers_[static_cast<std::size_t>(rank)].heard_at = now;
  }

  /// Returns the first process that has ended, or else was silent for `heartbeat` (0: any time will
  /// do). If this process itself did not get here for a good part of that, as after a suspension,
  /// the others are given as much time again.
  [[nodiscard]] std::optional<Lost> find_lost(Nanoseconds now, Nanoseconds heartbeat);

 private:
  struct Watched {
    Peer peer;
    int descriptor = -1;  // of the process, if it is on this host
    Nanoseconds heard_at{};
  };

  std::vector<Watched> peers_;
  int own_rank_;
  Nanoseconds looked_at_;
};

}  // namespace askos::comm
