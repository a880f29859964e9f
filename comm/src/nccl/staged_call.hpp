// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"
#include "nccl/device_calls.hpp"

#include <optional>

namespace askos::comm {

/// A call as the device can carry it out: buffers in host memory, for instance a handful of
/// numbers, take their way through device memory.
class StagedCall {
 public:
  /// Queues copies of what the call reads from host memory. `own_rank` is that of the group.
  StagedCall(const CollectiveStream& stream, const Call& call, int own_rank);

  [[nodiscard]] const Call& on_device() const noexcept { return on_device_; }

  /// Queues the copy of the result into host memory, and may wait for it.
  void copy_back();

 private:
  const CollectiveStream& stream_;
  Call on_device_;
  std::optional<Scratch> send_;
  std::optional<Scratch> receive_;
  void* host_result_ = nullptr;
};

}  // namespace askos::comm
