// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend.hpp"
#include "half.hpp"

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace askos::comm::conformance {

inline constexpr std::array kAllDTypes{DType::kFloat32,  DType::kFloat64, DType::kFloat16,
                                       DType::kBFloat16, DType::kInt32,   DType::kInt64,
                                       DType::kUInt8};

/// Calls `function(T{})` with the C++ type of `dtype`'s entries.
template <typename Function>
auto with_entry_type(DType dtype, Function function) {
  switch (dtype) {
    case DType::kFloat32: return function(float{});
    case DType::kFloat64: return function(double{});
    case DType::kFloat16: return function(Float16{});
    case DType::kBFloat16: return function(BFloat16{});
    case DType::kInt32: return function(std::int32_t{});
    case DType::kInt64: return function(std::int64_t{});
    case DType::kUInt8: return function(std::uint8_t{});
  }
  return function(float{});
}

/// Entries of any dtype in a backend's memory; tests see them as doubles.
class Array {
 public:
  Array(Backend& backend, DType dtype, const std::vector<double>& values)
      : Array(backend, dtype, static_cast<std::int64_t>(values.size())) {
    write(values);
  }

  /// Filled with 99, which no test expects to remain.
  Array(Backend& backend, DType dtype, std::int64_t count)
      : backend_(&backend),
        dtype_(dtype),
        count_(count),
        memory_(backend.allocate(static_cast<std::size_t>(count * size_of(dtype)))) {
    write(std::vector<double>(static_cast<std::size_t>(count), 99.0));
  }

  [[nodiscard]] Buffer buffer() const { return {memory_.get(), count_, dtype_}; }
  /// Entries `[from, from + count)` only.
  [[nodiscard]] Buffer part(std::int64_t from, std::int64_t count) const {
    return {memory_.get() + from * size_of(dtype_), count, dtype_};
  }

  void write(const std::vector<double>& values) {
    with_entry_type(dtype_, [&]<typename T>(T) {
      std::vector<T> entries(values.size());
      for (std::size_t i = 0; i < values.size(); ++i) {
        if constexpr (std::is_arithmetic_v<T>) {
          entries[i] = static_cast<T>(values[i]);
        } else {
          assign(entries[i], static_cast<float>(values[i]));
        }
      }
      backend_->copy(memory_.get(), reinterpret_cast<const std::byte*>(entries.data()),
                     entries.size() * sizeof(T));
    });
  }

  [[nodiscard]] std::vector<double> values() const {
    return with_entry_type(dtype_, [&]<typename T>(T) {
      std::vector<T> entries(static_cast<std::size_t>(count_));
      backend_->copy(reinterpret_cast<std::byte*>(entries.data()), memory_.get(),
                     entries.size() * sizeof(T));
      std::vector<double> values;
      for (const T entry : entries) {
        if constexpr (std::is_arithmetic_v<T>) {
          values.push_back(static_cast<double>(entry));
        } else {
          values.push_back(static_cast<double>(to_float(entry)));
        }
      }
      return values;
    });
  }

 private:
  Backend* backend_;
  DType dtype_;
  std::int64_t count_;
  std::shared_ptr<std::byte[]> memory_;
};

}  // namespace askos::comm::conformance
