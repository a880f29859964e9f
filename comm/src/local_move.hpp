// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"

#include <span>

namespace askos::comm {

/// Moves part `part` of a collective that all ranks have entered; `calls` are theirs, in rank
/// order.
///
/// There are as many parts as ranks, no two write the same memory, and none reads what another
/// writes: they may run in any order and at the same time. Part r fills the buffer of rank r, but
/// for all_reduce, where it combines range r of the axis for all ranks.
void move_part(std::span<const Call> calls, int part) noexcept;

}  // namespace askos::comm
