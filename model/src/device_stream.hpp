// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/communicator.hpp>

#include <ATen/core/Tensor.h>

namespace askos::model {

/// Returns the stream on which the calling thread queues work on the device of `x`.
[[nodiscard]] comm::Stream stream_of(const at::Tensor& x);

/// Makes use of what a collective on the memory of `x` leaves: on a device, of the stream only; on
/// the host, waits.
void finish(comm::Work& work, const at::Tensor& x);

/// Starts `enter(ranks)`, a collective on the memory of `x`, after the work that its stream holds.
template <typename Enter>
[[nodiscard]] comm::WorkPtr start(comm::Communicator& ranks, const at::Tensor& x, Enter enter) {
  ranks.follow(stream_of(x));
  return enter(ranks);
}

}  // namespace askos::model
