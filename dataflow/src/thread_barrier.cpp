// SPDX-License-Identifier: Apache-2.0
#include "thread_barrier.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace askos::dataflow {
namespace {

bool membarrier(int command) noexcept {
  return ::syscall(__NR_membarrier, command, 0, 0) == 0;
}

}  // namespace

bool order_all_threads() noexcept {
  static const bool registered = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  return (registered && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) ||
         membarrier(MEMBARRIER_CMD_GLOBAL);
}

}  // namespace askos::dataflow
