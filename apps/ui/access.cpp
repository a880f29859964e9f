// SPDX-License-Identifier: Apache-2.0
#include "access.hpp"

#include <algorithm>
#include <array>
#include <random>

namespace askos::apps {
namespace {

constexpr std::array<std::string_view, 11> kReading{
    "ps", "top", "why", "status", "dot", "trace", "hold", "peek", "breaks", "what_if", "tuning"};
constexpr std::array<std::string_view, 9> kChanging{"pause",  "resume", "step", "break", "unbreak",
                                                    "credit", "record", "set",  "drain"};

}  // namespace

std::string make_token() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::random_device random;
  std::string token;
  while (token.size() < 32) {
    const auto bits = random();
    for (int shift = 0; shift < 32; shift += 4) {
      token += kDigits[bits >> shift & 15U];
    }
  }
  return token;
}

bool same_token(std::string_view given, std::string_view token) noexcept {
  // Every character of `given` is looked at, whatever came before it.
  unsigned difference = given.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto wanted = token.empty() ? '\0' : token[i % token.size()];
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(wanted);
  }
  return difference == 0 && !token.empty();
}

VerbKind kind_of_verb(std::string_view verb) noexcept {
  if (std::ranges::find(kReading, verb) != kReading.end()) {
    return VerbKind::kReads;
  }
  return std::ranges::find(kChanging, verb) != kChanging.end() ? VerbKind::kChanges
                                                               : VerbKind::kUnknown;
}

}  // namespace askos::apps
