// SPDX-License-Identifier: Apache-2.0
#include <askos/model/autocast.hpp>

#include <ATen/autocast_mode.h>

namespace askos::model {

Autocast::Autocast(Precision precision) : enabled_(precision != Precision::kModel) {
  if (!enabled_) return;
  at::autocast::set_autocast_dtype(at::kCPU,
                                   precision == Precision::kFloat16 ? at::kHalf : at::kBFloat16);
  at::autocast::set_autocast_cache_enabled(false);  // parameters of ranks come and go
  at::autocast::set_autocast_enabled(at::kCPU, true);
}

Autocast::~Autocast() {
  if (enabled_) at::autocast::set_autocast_enabled(at::kCPU, false);
}

}  // namespace askos::model
