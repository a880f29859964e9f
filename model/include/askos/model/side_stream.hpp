// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/slot_pool.hpp>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/Stream.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace askos::model {

/// A device's queue of its own for a thread that prepares what others compute with, so that copies
/// run beside their kernels. On the CPU there is nothing to queue. One thread.
class SideStream {
 public:
  explicit SideStream(c10::Device device);

  [[nodiscard]] c10::Device device() const noexcept { return device_; }

  /// Runs `work` with this stream as the current one and waits until the device has done all of it,
  /// accounted as `busy.gpu`: memory that it read may change, and what it returns may be used on
  /// any stream. Undefined tensors pass through.
  [[nodiscard]] std::vector<at::Tensor> run(
      const std::function<std::vector<at::Tensor>()>& work) const;

 private:
  c10::Device device_;
  std::optional<c10::Stream> stream_;  ///< none on the CPU
};

/// Returns an allocator of host memory that `device` copies from directly and without holding the
/// host up: page-locked for CUDA, ordinary for the CPU.
[[nodiscard]] std::unique_ptr<comm::SlotAllocator> make_slot_allocator(c10::Device device);

}  // namespace askos::model
