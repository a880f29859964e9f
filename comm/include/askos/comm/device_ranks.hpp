// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/comm/rendezvous.hpp>

#include <chrono>
#include <memory>
#include <optional>

namespace askos::comm {

struct DeviceOptions {
  int device = 0;  ///< number of this process's GPU, as CUDA counts those it sees
  Nanoseconds heartbeat = std::chrono::seconds(2);  ///< a rank that is silent for so long is lost
};

/// The processes of a run with one GPU each, and this one's place among them. Bytes move by NCCL;
/// what the ranks enter, and who is missing or lost, they tell each other over the rendezvous. See
/// docs/decisions/0035-one-order-for-devices.md. Link askos::device_ranks.
class DeviceRanks {
 public:
  /// Joins the run; once per process. Blocks until all ranks are here. Throws `Errc::kEnvironment`
  /// if this build has no CUDA, there is no such GPU, or NCCL is too old, and `Errc::kRankLost`
  /// naming ranks that do not come.
  explicit DeviceRanks(std::shared_ptr<Rendezvous> rendezvous, const DeviceOptions& options = {});
  /// Leaves: waits for all others to come here, unless the run has failed.
  ~DeviceRanks();
  DeviceRanks(const DeviceRanks&) = delete;
  DeviceRanks& operator=(const DeviceRanks&) = delete;

  [[nodiscard]] int rank() const noexcept;
  [[nodiscard]] int size() const noexcept;

  /// Makes a communicator over all ranks for memory of their GPUs, or of the host, which takes its
  /// way through the GPU and is for few bytes; they must call it in the same order. The bits of its
  /// sums are those of a local group. It must die before this object.
  [[nodiscard]] std::unique_ptr<Communicator> make_communicator(const LocalOptions& options = {});

  /// Takes a rank that was silent for `heartbeat` as lost, from now on; 0: only one whose process
  /// has ended on this host. All ranks must give the same. Any thread.
  void expect_heartbeats(Nanoseconds heartbeat) noexcept;

  /// Ends the run: all waits of all ranks, now and later, throw `error`. The first one stays. Any
  /// thread.
  void fail(const Error& error) noexcept;

  /// Why the run has ended, if `fail` was called anywhere or a rank was lost. Any thread.
  [[nodiscard]] std::optional<Error> failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace askos::comm
