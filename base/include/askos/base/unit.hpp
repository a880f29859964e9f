// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

namespace askos {

/// Names a physical unit as udunits spells it: `K`, `m s-1`, `Pa`; `1` is dimensionless.
struct Unit {
  double multiplier = 1;
  std::string name = "1";

  bool operator==(const Unit&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Unit& unit);
};

/// Counts bytes of memory, disk or wire.
struct Bytes {
  std::int64_t value = 0;

  auto operator<=>(const Bytes&) const = default;
  Bytes& operator+=(Bytes other) {
    value += other.value;
    return *this;
  }
  friend Bytes operator+(Bytes a, Bytes b) { return {a.value + b.value}; }
  friend Bytes operator-(Bytes a, Bytes b) { return {a.value - b.value}; }
  friend Bytes operator*(std::int64_t n, Bytes b) { return {n * b.value}; }
  /// Prints with a binary prefix: `1.5 MiB`.
  friend std::ostream& operator<<(std::ostream& out, Bytes bytes);
};

[[nodiscard]] constexpr Bytes kibibytes(std::int64_t n) {
  return {n << 10};
}
[[nodiscard]] constexpr Bytes mebibytes(std::int64_t n) {
  return {n << 20};
}
[[nodiscard]] constexpr Bytes gibibytes(std::int64_t n) {
  return {n << 30};
}

/// Reads `512`, `64 KiB`, `8MiB`, `1.5 GiB`. Throws `Errc::kInvalidInput` on anything else.
[[nodiscard]] Bytes parse_bytes(std::string_view text);

}  // namespace askos
