// SPDX-License-Identifier: Apache-2.0
// What ranks settle before they work: whether all of them can, and whether they mean the same.
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace askos::comm {

/// Deadline of a communicator over which ranks settle things: its waits may take any time as long
/// as the others live.
inline constexpr Nanoseconds kAnyTime = std::chrono::hours(24 * 365);

/// Gives every rank the texts of all; entry r is rank r's. Collective; blocks. Wire: (P - 1) * own
/// bytes, plus eight bytes for its size.
[[nodiscard]] std::vector<std::string> exchange_texts(Communicator& ranks, const std::string& own);

/// An error that every rank of a run has thrown, so that one of them is enough to report it.
class SettledError final : public Error {
 public:
  explicit SettledError(const Error& error) : Error(error) {}
};

/// Runs `step` on every rank and returns when all have done it. If it throws anywhere, throws a
/// `SettledError` on all of them: the error of the lowest rank where it did, with that rank's
/// number unless it threw on all of them. Collective.
void settle(Communicator& ranks, const std::function<void()>& step);

/// Something that all ranks of a run must have in common, by name.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// Compares the ranks' facts by digest. Throws a `SettledError` of `Errc::kInvalidInput` if a rank
/// differs from rank 0: it names each such fact and both values. Collective; blocks.
void expect_same(Communicator& ranks, const Facts& facts);

}  // namespace askos::comm
