// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>

#include <atomic>
#include <cstdint>

namespace askos::comm {

/// Blocks the calling thread while `word` holds `expected`, for `timeout` at most; may also return
/// without a reason. `std::atomic::wait` with a deadline.
void futex_wait(const std::atomic<std::uint32_t>& word,
                std::uint32_t expected,
                Nanoseconds timeout) noexcept;

/// Wakes all threads that block on `word`.
void futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept;

}  // namespace askos::comm
