// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

namespace askos::comm {

/// What one rank tells another when it enters a collective: enough to see that both mean the same,
/// and to print the other's call if they do not. First in each message of the envelope channel; few
/// bytes of payload may follow it.
struct Envelope {
  static constexpr std::size_t kNumShown = 9;  ///< counts that are sent themselves, for messages

  std::int64_t sequence = 0;
  std::int32_t kind = 0;
  std::int32_t op = 0;
  std::int32_t root = 0;
  std::int32_t color = 0;
  std::int32_t dtype = 0;
  std::int32_t context = 0;     ///< of split: the first context number that is free on the sender
  std::int64_t count = 0;       ///< of the buffer of all_reduce and broadcast
  std::int64_t pair_count = 0;  ///< of all_to_all: entries sent to the receiver
  std::int64_t pair_expected = 0;  ///< of all_to_all: entries expected from the receiver
  std::int64_t num_counts = 0;
  std::uint64_t counts_digest = 0;
  std::array<std::int64_t, kNumShown> counts{};
  std::array<std::int64_t, kNumShown> receive_counts{};  ///< of all_to_all
  std::array<char, 40> name{};                           ///< of split
};
static_assert(std::is_trivially_copyable_v<Envelope>);

[[nodiscard]] Envelope make_envelope(const Call& call, std::int64_t sequence);

/// Returns the sender's call as far as the envelope holds it: no buffers, few counts.
[[nodiscard]] Call to_call(const Envelope& envelope);

/// Tells whether the senders of both may meet in one collective, as `agree` does for whole calls.
[[nodiscard]] bool agree(const Envelope& a, const Envelope& b) noexcept;

}  // namespace askos::comm
