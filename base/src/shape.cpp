// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/base/shape.hpp>

#include <algorithm>
#include <array>

namespace askos {
namespace {

struct Description {
  DType dtype;
  std::string_view name;
  std::int64_t bytes;
};

constexpr std::array<Description, 7> kDescriptions{{
    {DType::kFloat32, "float32", 4},
    {DType::kFloat64, "float64", 8},
    {DType::kFloat16, "float16", 2},
    {DType::kBFloat16, "bfloat16", 2},
    {DType::kInt32, "int32", 4},
    {DType::kInt64, "int64", 8},
    {DType::kUInt8, "uint8", 1},
}};

const Description& describe(DType dtype) noexcept {
  return *std::ranges::find(kDescriptions, dtype, &Description::dtype);
}

}  // namespace

std::int64_t size_of(DType dtype) noexcept {
  return describe(dtype).bytes;
}

std::string_view to_string(DType dtype) noexcept {
  return describe(dtype).name;
}

DType parse_dtype(std::string_view name) {
  const auto* const found = std::ranges::find(kDescriptions, name, &Description::name);
  if (found == kDescriptions.end()) {
    std::string known;
    for (const auto& description : kDescriptions) {
      known.append(known.empty() ? "" : ", ").append(description.name);
    }
    throw Error(Errc::kInvalidInput, "unknown dtype").with("found", name).with("expected", known);
  }
  return found->dtype;
}

std::ostream& operator<<(std::ostream& out, DType dtype) {
  return out << to_string(dtype);
}

std::optional<std::int64_t> Shape::find_size(std::string_view axis) const noexcept {
  const auto found = std::ranges::find(axes_, axis, &Axis::name);
  if (found == axes_.end() || found->size == Axis::kAny) {
    return std::nullopt;
  }
  return found->size;
}

std::optional<std::int64_t> Shape::num_elements() const noexcept {
  std::int64_t product = 1;
  for (const auto& axis : axes_) {
    if (axis.size == Axis::kAny) {
      return std::nullopt;
    }
    product *= axis.size;
  }
  return product;
}

bool Shape::accepts(const Shape& offered) const noexcept {
  return std::ranges::equal(axes_, offered.axes_, [](const Axis& wanted, const Axis& given) {
    return wanted.name == given.name &&
           (wanted.size == Axis::kAny || given.size == Axis::kAny || wanted.size == given.size);
  });
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  const char* separator = "";
  for (const auto& axis : shape.axes_) {
    out << separator << axis.name << '=';
    if (axis.size == Axis::kAny) {
      out << '*';
    } else {
      out << axis.size;
    }
    separator = ", ";
  }
  return out << ']';
}

}  // namespace askos
