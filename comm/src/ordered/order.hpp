// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace askos::comm {

/// The number of a group in messages between ranks; 0 is all ranks.
using GroupId = std::int64_t;
constexpr GroupId kWholeRun = -1;  ///< all groups, in failures

/// What a rank tells rank 0.
struct Announcement {
  enum class Kind {
    kEnter,  ///< it entered a collective
    kFail,   ///< it gave a group up, or the whole run
    kDrop,   ///< it will enter nothing more in this group
    kLeave,  ///< it will enter nothing more
  };
  Kind kind = Kind::kLeave;
  GroupId group = 0;
  std::int64_t sequence = 0;        ///< of kEnter: number of the collective in its group
  Nanoseconds deadline{};           ///< of kEnter: how long others may be missing
  Call call{};                      ///< of kEnter: without its buffers
  std::optional<Error> error = {};  ///< of kFail
};

/// What rank 0 tells all ranks. They follow all orders in one sequence.
struct Order {
  enum class Kind {
    kStart,  ///< all ranks of the group have entered this collective: move its bytes
    kFail,   ///< the group and those split from it, or the whole run, have failed
    kDrop,   ///< all ranks of the group have dropped it: take its links down
    kEnd,    ///< all ranks have left
  };
  Kind kind = Kind::kEnd;
  GroupId group = 0;
  std::int64_t sequence = 0;
  std::vector<std::int64_t> colors = {};  ///< of a split, by rank of the group
  GroupId first_child = 0;                ///< of a split: the group of the lowest color
  std::optional<Error> error = {};        ///< of kFail
};

/// What one rank announces at once.
struct Announcements {
  int rank = 0;
  std::vector<Announcement> all;
};

[[nodiscard]] std::string to_bytes(const Announcements& announcements);
[[nodiscard]] std::string to_bytes(const std::vector<Order>& orders);
/// They throw `Errc::kCorruptData` if the bytes are something else.
[[nodiscard]] Announcements to_announcements(std::string_view bytes);
[[nodiscard]] std::vector<Order> to_orders(std::string_view bytes);

/// A group that a split makes.
struct Child {
  GroupId group = 0;
  std::vector<int> members;  ///< by rank of the new group: ranks of the one that was split
};

/// Returns the groups that a split into `colors` makes, by color.
[[nodiscard]] std::vector<Child> children_of(const std::vector<std::int64_t>& colors,
                                             GroupId first_child);

}  // namespace askos::comm
