// SPDX-License-Identifier: Apache-2.0
// How payloads let an inspector look into them: a type that has a function
//
//   PayloadDescription describe_payload(const T& payload);
//
// in its own namespace can be peeked at, and its tensors can be named in breakpoints. It is called
// by whoever looks, never by the stage that made the packet.
#pragma once

#include <askos/base/shape.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace askos::dataflow {

/// One tensor inside a payload; valid as long as the payload.
struct TensorView {
  std::string name;
  std::vector<std::int64_t> shape{};
  DType dtype = DType::kFloat32;
  std::string device = "host";
  /// Copies entries `first`, `first + stride`, … (in row order) into `values` as numbers. May block
  /// the caller until a device has computed them; must not make the producer wait.
  std::function<void(std::int64_t first, std::int64_t stride, std::span<double> values)> read{};

  [[nodiscard]] std::int64_t num_entries() const noexcept;
};

using PayloadDescription = std::vector<TensorView>;

/// Describes `shape` entries of `dtype` that lie without gaps in host memory. 16-bit numbers too.
[[nodiscard]] TensorView host_tensor(std::string name,
                                     std::vector<std::int64_t> shape,
                                     DType dtype,
                                     const void* data);

template <typename T>
concept Describable = requires(const T& payload) {
  { describe_payload(payload) } -> std::same_as<PayloadDescription>;
};

/// Describes the payload behind a pointer of a type that only its maker knows.
using PayloadDescriber = PayloadDescription (*)(const void*);

/// Returns how payloads of type `T` are described; null if they are not.
template <typename T>
[[nodiscard]] constexpr PayloadDescriber describer_of() noexcept {
  if constexpr (Describable<T>) {
    return [](const void* payload) { return describe_payload(*static_cast<const T*>(payload)); };
  } else {
    return nullptr;
  }
}

}  // namespace askos::dataflow
