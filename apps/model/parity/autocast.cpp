// SPDX-License-Identifier: Apache-2.0
#include "parity/autocast.hpp"

#include <ATen/autocast_mode.h>

namespace askos::apps {

Autocast::Autocast(bool enabled) : enabled_(enabled) {
  if (!enabled_) {
    return;
  }
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::autocast::set_autocast_cache_enabled(false);  // parameters of ranks come and go
  at::autocast::set_autocast_enabled(at::kCPU, true);
}

Autocast::~Autocast() {
  if (enabled_) {
    at::autocast::set_autocast_enabled(at::kCPU, false);
  }
}

}  // namespace askos::apps
