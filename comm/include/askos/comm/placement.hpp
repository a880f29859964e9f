// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace askos::comm {

/// Which of the processes that a launcher started on this host, and what each of them works with.
struct LocalSeat {
  int rank = 0;  ///< among those on this host
  int num_ranks = 1;
  bool on_gpu = false;  ///< one GPU each, counted through if there are fewer
};

/// Where a process runs on its host.
struct Placement {
  std::vector<int> cores;       ///< as the system numbers them; empty: any of them
  std::vector<int> numa_nodes;  ///< that those cores belong to
  int gpu = -1;                 ///< in order of PCI addresses; -1: none

  /// Prints `cores 0-3, NUMA node 0, GPU 1`.
  [[nodiscard]] std::string to_text() const;
};

/// Shares this host's cores, as far as this process may use them, among its ranks: whole cores,
/// side by side, and on GPU ranks those next to the rank's GPU. More ranks than cores are not
/// placed. Link askos::placement.
[[nodiscard]] Placement place(const LocalSeat& seat);

/// Keeps the calling thread, and what it starts, on the placement's cores. Throws
/// `Errc::kEnvironment` if the system refuses.
void bind_to(const Placement& placement);

/// Returns the number of GPUs of this host.
[[nodiscard]] int count_gpus();

}  // namespace askos::comm
