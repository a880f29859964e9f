// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>

namespace askos {

/// Wraps a number so that ids of different things cannot be mixed up.
template <typename Tag, typename Number = std::int64_t>
struct Id {
  Number value{};

  auto operator<=>(const Id&) const = default;
  friend std::ostream& operator<<(std::ostream& out, Id id) { return out << id.value; }
};

using Rank = Id<struct RankTag, int>;
using StageId = Id<struct StageTag, int>;
using EdgeId = Id<struct EdgeTag, int>;
/// Counts the samples of a run, in the order in which all ranks see them.
using SampleId = Id<struct SampleTag>;
/// Follows one sample through all stages and ranks of a trace.
using TraceId = Id<struct TraceTag, std::uint64_t>;

}  // namespace askos

template <typename Tag, typename Number>
struct std::hash<askos::Id<Tag, Number>> {
  std::size_t operator()(askos::Id<Tag, Number> id) const noexcept {
    return std::hash<Number>{}(id.value);
  }
};
