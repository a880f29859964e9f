// SPDX-License-Identifier: Apache-2.0
#include "event_descriptor.hpp"

#include <askos/base/error.hpp>

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace askos::dataflow {

int make_event_descriptor() {
  const int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) {
    throw Error(Errc::kEnvironment, "cannot make an event descriptor")
        .with("reason", std::strerror(errno));
  }
  return descriptor;
}

void raise_event(int descriptor) noexcept {
  eventfd_write(descriptor, 1);
}

void clear_event(int descriptor) noexcept {
  eventfd_t value = 0;
  eventfd_read(descriptor, &value);
}

void close_event_descriptor(int descriptor) noexcept {
  close(descriptor);
}

}  // namespace askos::dataflow
