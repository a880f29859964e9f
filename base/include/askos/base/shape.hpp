// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace askos {

/// Names the number type of a tensor's entries.
enum class DType { kFloat32, kFloat64, kFloat16, kBFloat16, kInt32, kInt64, kUInt8 };

[[nodiscard]] std::int64_t size_of(DType dtype) noexcept;
[[nodiscard]] std::string_view to_string(DType dtype) noexcept;
/// Reads `float32`, `bfloat16`, …. Throws `Errc::kInvalidInput` and lists the names it knows.
[[nodiscard]] DType parse_dtype(std::string_view name);
std::ostream& operator<<(std::ostream& out, DType dtype);

/// Names one axis and its length; a length of `kAny` accepts every length.
struct Axis {
  static constexpr std::int64_t kAny = -1;

  std::string name;
  std::int64_t size = kAny;

  bool operator==(const Axis&) const = default;
};

/// Lists named axes, outermost first. Everywhere in askos the order is batch, time, ens, grid, var.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Axis> axes) : axes_(axes) {}
  explicit Shape(std::vector<Axis> axes) : axes_(std::move(axes)) {}

  [[nodiscard]] const std::vector<Axis>& axes() const noexcept { return axes_; }
  [[nodiscard]] std::optional<std::int64_t> find_size(std::string_view axis) const noexcept;
  /// Returns the product of all lengths, or nothing when one of them is open.
  [[nodiscard]] std::optional<std::int64_t> num_elements() const noexcept;
  /// Tells whether a tensor of shape `offered` may arrive where this shape is wanted: the same
  /// names in the same order, and equal lengths wherever both are fixed.
  [[nodiscard]] bool accepts(const Shape& offered) const noexcept;

  bool operator==(const Shape&) const = default;
  /// Prints `[batch=*, grid=964, var=6]`.
  friend std::ostream& operator<<(std::ostream& out, const Shape& shape);

 private:
  std::vector<Axis> axes_;
};

}  // namespace askos
