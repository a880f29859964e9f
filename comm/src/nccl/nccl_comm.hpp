// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pieces.hpp"

#include <askos/base/error.hpp>

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

namespace askos::comm {

/// Owns an NCCL communicator that never blocks: each of its operations is polled until NCCL has
/// queued it, so that `abort` can end it meanwhile. One thread, except for `abort` and `fault`.
class NcclComm {
 public:
  /// Joins the ranks that have the same `id`. Throws `Errc::kCancelled` if `give_up`, which must
  /// outlive this and what is split from it, is set first.
  NcclComm(const ncclUniqueId& id, int rank, int size, const std::atomic<bool>& give_up);
  /// Takes it down with the other ranks, unless it was aborted or given up: ranks may be gone then.
  ~NcclComm();
  NcclComm(const NcclComm&) = delete;
  NcclComm& operator=(const NcclComm&) = delete;

  /// Queues all messages with other ranks at once on `stream`.
  void exchange(const Pieces& pieces, int rank, cudaStream_t stream);

  /// Makes the communicators of those that give the same color. All ranks of this one call it.
  [[nodiscard]] std::unique_ptr<NcclComm> split(int color, int rank);

  /// Ends what is under way and everything later; waits until the device has left its kernels.
  void abort() noexcept;

  /// Returns what NCCL has met in the background, for instance a connection that broke.
  [[nodiscard]] std::optional<Error> fault();

 private:
  explicit NcclComm(ncclComm_t comm) noexcept : comm_(comm) {}

  /// Calls `call(comm)` unless aborted, then waits until NCCL has done it.
  template <typename Call>
  void run(Call call, const char* name);
  void settle(const char* name);
  [[nodiscard]] ncclResult_t state();
  [[nodiscard]] bool is_given_up() const noexcept { return give_up_ != nullptr && *give_up_; }

  std::mutex mutex_;  // held while NCCL works on it
  ncclComm_t comm_ = nullptr;
  const std::atomic<bool>* give_up_ = nullptr;
};

}  // namespace askos::comm
