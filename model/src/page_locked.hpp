// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/comm/slot_pool.hpp>

#include <memory>

namespace askos::model {

/// Returns an allocator of page-locked host memory, which CUDA devices read by themselves.
[[nodiscard]] std::unique_ptr<comm::SlotAllocator> make_page_locked_allocator();

}  // namespace askos::model
