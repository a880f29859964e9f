// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace askos::dataflow {

/// Makes every running thread of this process pass a full memory barrier before it returns. Costs
/// some microseconds here and nothing where it is waited for. Returns false where the system has no
/// such thing.
[[nodiscard]] bool order_all_threads() noexcept;

}  // namespace askos::dataflow
