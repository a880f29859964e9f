// SPDX-License-Identifier: Apache-2.0
#include "mpi/alert.hpp"

#include "packing.hpp"

namespace askos::comm {

std::string to_bytes(const Alert& alert) {
  return Packer().put(alert.context).put(alert.error).take();
}

Alert to_alert(std::string_view bytes) {
  Unpacker from(bytes);
  const int context = from.integer();
  return {.context = context, .error = from.error()};
}

}  // namespace askos::comm
