// SPDX-License-Identifier: Apache-2.0
// The only file compiled with OpenMP: LibTorch's loop is a template that runs on one thread where
// OpenMP is off, and the precompiled header is made without it.
#include "parallel.hpp"

#include <ATen/Parallel.h>

#ifndef _OPENMP
#error "compile this file with OpenMP"
#endif

namespace askos::model {

void parallel_for(std::int64_t n,
                  std::int64_t grain,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body) {
  at::parallel_for(0, n, grain, body);
}

}  // namespace askos::model
