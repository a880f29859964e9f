// SPDX-License-Identifier: Apache-2.0
#include "page_locked.hpp"

#include <askos/model/side_stream.hpp>
#include <askos/telemetry/ledger.hpp>

#include <ATen/ATen.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace askos::model {

SideStream::SideStream(c10::Device device) : device_(device) {
  if (device.is_cpu()) return;
  const c10::impl::VirtualGuardImpl on_device(device.type());
  if (!device_.has_index()) device_ = on_device.getDevice();
  stream_ = on_device.getStreamFromGlobalPool(device_);
}

std::vector<at::Tensor> SideStream::run(
    const std::function<std::vector<at::Tensor>()>& work) const {
  if (!stream_) return work();
  const telemetry::ScopedState state(telemetry::State::kBusyGpu);
  const c10::impl::VirtualGuardImpl on_device(device_.type());
  const c10::StreamGuard guard(*stream_);
  auto results = work();
  for (const at::Tensor& result : results) {
    // Its memory is this stream's; it must not be given away again before others have read it.
    if (result.defined()) result.record_stream(on_device.getDefaultStream(device_));
  }
  on_device.synchronizeStream(*stream_);
  return results;
}

std::unique_ptr<comm::SlotAllocator> make_slot_allocator(c10::Device device) {
  return device.is_cpu() ? comm::make_host_allocator() : make_page_locked_allocator();
}

}  // namespace askos::model
