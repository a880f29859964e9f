// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace askos::dataflow {

/// Makes a descriptor for `poll` that is not readable yet. Throws `Errc::kEnvironment`.
[[nodiscard]] int make_event_descriptor();
/// Makes it readable, or not readable any more; each only once in a row.
void raise_event(int descriptor) noexcept;
void clear_event(int descriptor) noexcept;
void close_event_descriptor(int descriptor) noexcept;

}  // namespace askos::dataflow
