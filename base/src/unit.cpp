// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/base/unit.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace askos {
namespace {

constexpr std::array<std::string_view, 5> kPrefixes{"B", "KiB", "MiB", "GiB", "TiB"};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Unit& unit) {
  if (unit.multiplier != 1) {
    out << unit.multiplier << ' ';
  }
  return out << unit.name;
}

std::ostream& operator<<(std::ostream& out, Bytes bytes) {
  auto value = static_cast<double>(bytes.value);
  std::size_t prefix = 0;
  while (std::abs(value) >= 1024 && prefix + 1 < kPrefixes.size()) {
    value /= 1024;
    ++prefix;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), prefix == 0 ? "%.0f " : "%.1f ", value);
  return out << text.data() << kPrefixes[prefix];
}

Bytes parse_bytes(std::string_view text) {
  double number = 0;
  const auto [rest, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view suffix(rest, text.data() + text.size() - rest);
  while (!suffix.empty() && suffix.front() == ' ') {
    suffix.remove_prefix(1);
  }
  double factor = suffix.empty() ? 1 : 0;
  for (std::size_t i = 0; i < kPrefixes.size(); ++i) {
    if (suffix == kPrefixes[i]) {
      factor = std::ldexp(1, static_cast<int>(10 * i));
    }
  }
  const double bytes = number * factor;
  if (fault != std::errc{} || factor == 0 || !(bytes >= 0) || bytes > 0x1p62) {
    throw Error(Errc::kInvalidInput, "not a number of bytes (write for instance '64 MiB')")
        .with("found", text);
  }
  return {static_cast<std::int64_t>(bytes)};
}

}  // namespace askos
