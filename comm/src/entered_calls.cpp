// SPDX-License-Identifier: Apache-2.0
#include "entered_calls.hpp"

#include <string>
#include <utility>

namespace askos::comm {
namespace {

std::string numbered(const char* what, std::size_t rank) {
  return what + std::to_string(rank);
}

}  // namespace

EnteredCalls::EnteredCalls(std::int64_t sequence, int num_ranks)
    : sequence_(sequence),
      calls_(static_cast<std::size_t>(num_ranks)),
      entered_(static_cast<std::size_t>(num_ranks)) {}

std::optional<Error> EnteredCalls::enter(int rank, Call call) {
  const auto own = static_cast<std::size_t>(rank);
  if (num_entered_ == 0) {
    first_ = own;
  } else if (!agree(first(), call)) {
    return Error(Errc::kInternal, "ranks entered different collectives")
        .with("sequence", sequence_)
        .with(numbered("rank ", first_), describe(first()))
        .with(numbered("rank ", own), describe(call));
  }
  calls_[own] = std::move(call);
  entered_[own] = true;
  ++num_entered_;
  return is_complete() && first().kind == CallKind::kAllToAll ? compare_all_to_all() : std::nullopt;
}

std::optional<Error> EnteredCalls::compare_all_to_all() const {
  for (std::size_t from = 0; from < calls_.size(); ++from) {
    for (std::size_t to = 0; to < calls_.size(); ++to) {
      const auto sent = calls_[from].counts[to];
      const auto expected = calls_[to].receive_counts[from];
      if (sent != expected) {
        return Error(Errc::kInternal, "ranks entered all_to_all with different counts")
            .with("sequence", sequence_)
            .with(numbered("rank ", from),
                  "sends " + std::to_string(sent) + numbered(" to rank ", to))
            .with(numbered("rank ", to),
                  "expects " + std::to_string(expected) + numbered(" from rank ", from));
      }
    }
  }
  return std::nullopt;
}

std::vector<int> EnteredCalls::missing() const {
  std::vector<int> ranks;
  for (std::size_t r = 0; r < entered_.size(); ++r) {
    if (!entered_[r]) {
      ranks.push_back(static_cast<int>(r));
    }
  }
  return ranks;
}

}  // namespace askos::comm
