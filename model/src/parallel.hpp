// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

namespace askos::model {

/// Runs `body(begin, end)` over pieces of [0, n) of at least `grain` on the calling thread's share
/// of intra-op threads (`at::set_num_threads`). Pieces must not depend on one another.
void parallel_for(std::int64_t n,
                  std::int64_t grain,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& body);

}  // namespace askos::model
