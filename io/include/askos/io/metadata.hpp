// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace askos::io {

/// Holds one plain JSON value: what datasets and checkpoints say about themselves.
///
/// Numbers written without point or exponent are 64-bit integers and stay exact; all others are
/// doubles and come back as the same double. Objects keep their keys sorted, so equal values have
/// equal text.
class Metadata {
 public:
  using Array = std::vector<Metadata>;
  using Object = std::map<std::string, Metadata, std::less<>>;
  using Value =
      std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array, Object>;

  Metadata() = default;
  // Conversions are implicit, so that nested values can be written down as they are.
  // NOLINTBEGIN(google-explicit-constructor)
  Metadata(bool value) : value_(value) {}
  Metadata(int value) : value_(std::int64_t{value}) {}
  Metadata(std::int64_t value) : value_(value) {}
  Metadata(double value) : value_(value) {}
  Metadata(const char* value) : value_(std::string(value)) {}
  Metadata(std::string value) : value_(std::move(value)) {}
  Metadata(Array value) : value_(std::move(value)) {}
  Metadata(Object value) : value_(std::move(value)) {}
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] const Value& value() const noexcept { return value_; }
  [[nodiscard]] bool is_null() const noexcept { return value_.index() == 0; }

  /// These throw `Errc::kTypeMismatch`, naming the kind that was found, when it is another one. An
  /// integer is also accepted as a double.
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_integer() const;
  [[nodiscard]] double as_double() const;
  [[nodiscard]] const std::string& as_string() const;
  [[nodiscard]] const Array& as_array() const;
  [[nodiscard]] const Object& as_object() const;

  /// Returns the entry `key` of an object. Throws `Errc::kNotFound`, with the keys there are.
  [[nodiscard]] const Metadata& at(std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const noexcept;
  /// Returns the entry `key`, made if absent; a null value becomes an object first.
  Metadata& operator[](const std::string& key);

  bool operator==(const Metadata&) const = default;

 private:
  Value value_ = nullptr;
};

/// Writes `value` as JSON, indented by two spaces or, with `compact`, on one line. Throws
/// `Errc::kInvalidInput` on a number that is not finite or a string that is not UTF-8.
[[nodiscard]] std::string to_json(const Metadata& value, bool compact = false);

/// Reads JSON strictly (RFC 8259). Throws `Errc::kInvalidInput`, with the place, on faulty text, a
/// key that appears twice, an integer beyond 64 bits or more than 100 levels.
[[nodiscard]] Metadata parse_json(std::string_view text);

}  // namespace askos::io
