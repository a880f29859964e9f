// SPDX-License-Identifier: Apache-2.0
#include "combine.hpp"

#include "half.hpp"

#include <algorithm>
#include <type_traits>

namespace askos::comm {
namespace {

template <typename T>
inline constexpr bool kIsHalf = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

/// The type in which entries of type `T` are combined.
template <typename T>
using Wide = std::conditional_t<kIsHalf<T>, float, T>;

template <typename T>
Wide<T> widen(T entry) noexcept {
  if constexpr (kIsHalf<T>) {
    return to_float(entry);
  } else {
    return entry;
  }
}

template <typename T>
void narrow(T& entry, Wide<T> value) noexcept {
  if constexpr (kIsHalf<T>) {
    assign(entry, value);
  } else {
    entry = value;
  }
}

template <typename W>
W sum(W a, W b) noexcept {
  if constexpr (std::is_integral_v<W>) {
    using Unsigned = std::make_unsigned_t<W>;  // signed overflow would be undefined
    return static_cast<W>(
        static_cast<Unsigned>(static_cast<Unsigned>(a) + static_cast<Unsigned>(b)));
  } else {
    return a + b;
  }
}

/// Calls `function(T{})` with the entry type that `dtype` names.
template <typename Function>
void with_type(DType dtype, Function function) noexcept {
  switch (dtype) {
    case DType::kFloat32: return function(float{});
    case DType::kFloat64: return function(double{});
    case DType::kFloat16: return function(Float16{});
    case DType::kBFloat16: return function(BFloat16{});
    case DType::kInt32: return function(std::int32_t{});
    case DType::kInt64: return function(std::int64_t{});
    case DType::kUInt8: return function(std::uint8_t{});
  }
}

template <typename T, typename Combine>
void add_entries(Wide<T>* sums, const T* from, std::int64_t count, Combine combine) noexcept {
  for (std::int64_t i = 0; i < count; ++i) {
    sums[i] = combine(sums[i], widen(from[i]));
  }
}

}  // namespace

void CombineBlock::load(const void* from, std::int64_t count) noexcept {
  count_ = count;
  with_type(dtype_, [&]<typename T>(T) {
    auto* sums = reinterpret_cast<Wide<T>*>(sums_.data());
    std::transform(static_cast<const T*>(from), static_cast<const T*>(from) + count, sums,
                   widen<T>);
  });
}

void CombineBlock::add(const void* from) noexcept {
  with_type(dtype_, [&]<typename T>(T) {
    using W = Wide<T>;
    auto* sums = reinterpret_cast<W*>(sums_.data());
    const auto* entries = static_cast<const T*>(from);
    switch (op_) {
      case ReduceOp::kSum: return add_entries(sums, entries, count_, sum<W>);
      case ReduceOp::kMax:
        return add_entries(sums, entries, count_, [](W a, W b) { return a < b ? b : a; });
      case ReduceOp::kMin:
        return add_entries(sums, entries, count_, [](W a, W b) { return b < a ? b : a; });
    }
  });
}

void CombineBlock::store(void* to) const noexcept {
  with_type(dtype_, [&]<typename T>(T) {
    const auto* sums = reinterpret_cast<const Wide<T>*>(sums_.data());
    for (std::int64_t i = 0; i < count_; ++i) {
      narrow(static_cast<T*>(to)[i], sums[i]);
    }
  });
}

}  // namespace askos::comm
