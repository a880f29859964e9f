// SPDX-License-Identifier: Apache-2.0
#include "mpi/alert.hpp"

#include "packing.hpp"

#include <utility>

namespace askos::comm {

std::string to_bytes(const Alert& alert) {
  return std::move(Packer().put(alert.context).put(alert.error)).take();
}

Alert to_alert(std::string_view bytes) {
  Unpacker from(bytes);
  const int context = from.integer();
  return {.context = context, .error = from.error()};
}

}  // namespace askos::comm
