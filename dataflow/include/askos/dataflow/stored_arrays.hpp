// SPDX-License-Identifier: Apache-2.0
// How payloads can be recorded: a type with the functions
//
//   StoredArrays store_payload(const T& payload);
//   void restore_payload(const StoredArrays& arrays, T& payload);
//
// in its own namespace can be kept and made again elsewhere, bit by bit. Stages give and take what
// they carry from run to run in the same form.
#pragma once

#include <askos/base/shape.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace askos::dataflow {

/// A named array with memory of its own.
struct StoredArray {
  std::string name;
  std::vector<std::int64_t> shape{};
  DType dtype = DType::kUInt8;
  std::vector<std::byte> bytes{};  ///< entries in row order, as they lie in memory

  [[nodiscard]] std::int64_t num_entries() const noexcept;
  bool operator==(const StoredArray&) const = default;
};

using StoredArrays = std::vector<StoredArray>;

/// Copies `shape` entries that lie without gaps in host memory.
[[nodiscard]] StoredArray stored_array(std::string name,
                                       std::vector<std::int64_t> shape,
                                       DType dtype,
                                       const void* data);

/// Copies a list of numbers.
[[nodiscard]] StoredArray stored_integers(std::string name, std::span<const std::int64_t> values);
[[nodiscard]] StoredArray stored_numbers(std::string name, std::span<const double> values);

/// Returns the array of a name, null if there is none.
[[nodiscard]] const StoredArray* find_array(const StoredArrays& arrays,
                                            std::string_view name) noexcept;
/// As above; throws `Errc::kCorruptData`, naming it, if there is none.
[[nodiscard]] const StoredArray& array_of(const StoredArrays& arrays, std::string_view name);

/// Returns the entries of an array. Throws `Errc::kCorruptData` if it is not there or of another
/// dtype.
[[nodiscard]] std::vector<std::int64_t> integers_of(const StoredArrays& arrays,
                                                    std::string_view name);
[[nodiscard]] std::vector<double> numbers_of(const StoredArrays& arrays, std::string_view name);
/// Returns the only entry of an array of integers; throws as `integers_of` does.
[[nodiscard]] std::int64_t integer_of(const StoredArrays& arrays, std::string_view name);

template <typename T>
concept Storable =
    std::default_initializable<T> && requires(const T& made, const StoredArrays& arrays, T& empty) {
      { store_payload(made) } -> std::same_as<StoredArrays>;
      restore_payload(arrays, empty);
    };

/// Stores payloads behind pointers of a type that only its maker knows, and makes them again.
struct PayloadStorage {
  StoredArrays (*store)(const void* payload);
  std::shared_ptr<const void> (*restore)(const StoredArrays& arrays);
};

/// Returns how payloads of type `T` are stored; null if they are not.
template <typename T>
[[nodiscard]] const PayloadStorage* storage_of() noexcept {
  if constexpr (Storable<T>) {
    static constexpr PayloadStorage kStorage{
        .store = [](const void* payload) { return store_payload(*static_cast<const T*>(payload)); },
        .restore = [](const StoredArrays& arrays) -> std::shared_ptr<const void> {
          auto payload = std::make_shared<T>();
          restore_payload(arrays, *payload);
          return payload;
        }};
    return &kStorage;
  } else {
    return nullptr;
  }
}

}  // namespace askos::dataflow
