// SPDX-License-Identifier: Apache-2.0
#include "device_stream.hpp"

#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace askos::model {

comm::Stream stream_of(const at::Tensor& x) {
  if (x.device().is_cpu()) {
    return {};
  }
  const c10::impl::VirtualGuardImpl device(x.device().type());
  return {device.getStream(x.device()).native_handle()};
}

void finish(comm::Work& work, const at::Tensor& x) {
  if (x.device().is_cpu()) {
    work.wait();
  } else {
    work.wait_on(stream_of(x));
  }
}

}  // namespace askos::model
