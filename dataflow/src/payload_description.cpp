// SPDX-License-Identifier: Apache-2.0
#include <askos/dataflow/payload_description.hpp>

#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

namespace askos::dataflow {
namespace {

template <typename T>
T load(const std::byte* at) {
  T value{};
  std::memcpy(&value, at, sizeof(T));
  return value;
}

/// IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits.
double half_value(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 0x1f) return fraction != 0 ? std::nan("") : sign * HUGE_VAL;
  return sign *
         (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(fraction + 0x400, exponent - 25));
}

double number_at(const std::byte* at, DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return load<float>(at);
    case DType::kFloat64: return load<double>(at);
    case DType::kFloat16: return half_value(load<std::uint16_t>(at));
    case DType::kBFloat16:
      return std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(at)) << 16);
    case DType::kInt32: return load<std::int32_t>(at);
    case DType::kInt64: return static_cast<double>(load<std::int64_t>(at));
    case DType::kUInt8: return load<std::uint8_t>(at);
  }
  return 0;
}

}  // namespace

std::int64_t TensorView::num_entries() const noexcept {
  std::int64_t number = 1;
  for (const auto length : shape) number *= length;
  return number;
}

TensorView host_tensor(std::string name,
                       std::vector<std::int64_t> shape,
                       DType dtype,
                       const void* data) {
  const auto* const bytes = static_cast<const std::byte*>(data);
  return {
      .name = std::move(name),
      .shape = std::move(shape),
      .dtype = dtype,
      .read = [bytes, dtype](std::int64_t first, std::int64_t stride, std::span<double> values) {
        for (std::size_t i = 0; i < values.size(); ++i) {
          const auto entry = first + static_cast<std::int64_t>(i) * stride;
          values[i] = number_at(bytes + entry * size_of(dtype), dtype);
        }
      }};
}

}  // namespace askos::dataflow
