// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/dataflow/stored_arrays.hpp>

#include <algorithm>
#include <utility>

namespace askos::dataflow {
namespace {

template <typename T>
std::vector<T> entries_of(const StoredArrays& arrays, std::string_view name, DType dtype) {
  const auto& array = array_of(arrays, name);
  if (array.dtype != dtype) {
    throw Error(Errc::kCorruptData, "recorded array has another dtype")
        .with("array", name)
        .with("expected", dtype)
        .with("found", array.dtype);
  }
  std::vector<T> values(array.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace

std::int64_t StoredArray::num_entries() const noexcept {
  std::int64_t number = 1;
  for (const auto length : shape) number *= length;
  return number;
}

StoredArray stored_array(std::string name,
                         std::vector<std::int64_t> shape,
                         DType dtype,
                         const void* data) {
  StoredArray array{.name = std::move(name), .shape = std::move(shape), .dtype = dtype};
  array.bytes.resize(static_cast<std::size_t>(array.num_entries() * size_of(dtype)));
  if (!array.bytes.empty()) std::memcpy(array.bytes.data(), data, array.bytes.size());
  return array;
}

StoredArray stored_integers(std::string name, std::span<const std::int64_t> values) {
  return stored_array(std::move(name), {static_cast<std::int64_t>(values.size())}, DType::kInt64,
                      values.data());
}

StoredArray stored_numbers(std::string name, std::span<const double> values) {
  return stored_array(std::move(name), {static_cast<std::int64_t>(values.size())}, DType::kFloat64,
                      values.data());
}

const StoredArray* find_array(const StoredArrays& arrays, std::string_view name) noexcept {
  const auto found = std::ranges::find(arrays, name, &StoredArray::name);
  return found == arrays.end() ? nullptr : &*found;
}

const StoredArray& array_of(const StoredArrays& arrays, std::string_view name) {
  const auto* const found = find_array(arrays, name);
  if (found == nullptr) {
    throw Error(Errc::kCorruptData, "recording lacks an array").with("array", name);
  }
  return *found;
}

std::vector<std::int64_t> integers_of(const StoredArrays& arrays, std::string_view name) {
  return entries_of<std::int64_t>(arrays, name, DType::kInt64);
}

std::vector<double> numbers_of(const StoredArrays& arrays, std::string_view name) {
  return entries_of<double>(arrays, name, DType::kFloat64);
}

std::int64_t integer_of(const StoredArrays& arrays, std::string_view name) {
  const auto values = integers_of(arrays, name);
  if (values.size() != 1) {
    throw Error(Errc::kCorruptData, "recorded array is not one number")
        .with("array", name)
        .with("found", values.size());
  }
  return values.front();
}

}  // namespace askos::dataflow
