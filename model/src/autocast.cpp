// SPDX-License-Identifier: Apache-2.0
#include <askos/model/autocast.hpp>

#include <ATen/autocast_mode.h>

namespace askos::model {

Autocast::Autocast(Precision precision, c10::DeviceType device)
    : enabled_(precision != Precision::kModel), device_(device) {
  if (!enabled_) return;
  at::autocast::set_autocast_dtype(device_,
                                   precision == Precision::kFloat16 ? at::kHalf : at::kBFloat16);
  at::autocast::set_autocast_cache_enabled(false);  // parameters of ranks come and go
  at::autocast::set_autocast_enabled(device_, true);
}

Autocast::~Autocast() {
  if (enabled_) at::autocast::set_autocast_enabled(device_, false);
}

}  // namespace askos::model
