// SPDX-License-Identifier: Apache-2.0
// Conditions of breakpoints: `age > 2s && nan(*) > 0`. Numbers are doubles, true is 1.
#pragma once

#include <askos/dataflow/packet.hpp>
#include <askos/dataflow/payload_description.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace askos::dataflow {

/// What an expression is about.
struct PacketFacts {
  const PacketMeta& meta;
  double age_s = 0;
  const PayloadDescription& payload;
};

class Expression {
 public:
  /// Throws `Errc::kUsage` with the position (from 1), what was expected and what was found; a name
  /// that is not known comes with the nearest one.
  explicit Expression(std::string_view text);

  /// Throws `Errc::kNotFound` if the payload has no tensor of a name that is used.
  [[nodiscard]] bool holds(const PacketFacts& facts) const;

  /// True if payloads have to be looked at.
  [[nodiscard]] bool uses_payload() const noexcept { return uses_payload_; }

  struct Node;

 private:
  std::shared_ptr<const Node> root_;
  bool uses_payload_ = false;
};

}  // namespace askos::dataflow
