// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace askos::apps {

/// Makes 128 random bits as 32 hexadecimal digits, from the system's generator.
[[nodiscard]] std::string make_token();

/// Compares in a time that depends on the length of `given` alone.
[[nodiscard]] bool same_token(std::string_view given, std::string_view token) noexcept;

/// What a verb does to the graph, as far as the page's server lets it through.
enum class VerbKind {
  kReads,
  kChanges,  ///< refused by a server that is read-only
  kUnknown,  ///< always refused
};
[[nodiscard]] VerbKind kind_of_verb(std::string_view verb) noexcept;

}  // namespace askos::apps
