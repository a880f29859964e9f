// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/metadata.hpp>

#include <array>
#include <utility>

namespace askos::io {
namespace {

template <typename T>
const T& get(const Metadata::Value& value, const char* expected) {
  if (const T* found = std::get_if<T>(&value)) {
    return *found;
  }
  static constexpr std::array kNames{"null",   "true or false", "integer", "number",
                                     "string", "array",         "object"};
  throw Error(Errc::kTypeMismatch, "metadata entry has another type")
      .with("expected", expected)
      .with("found", kNames.at(value.index()));
}

}  // namespace

bool Metadata::as_bool() const {
  return get<bool>(value_, "true or false");
}

std::int64_t Metadata::as_integer() const {
  return get<std::int64_t>(value_, "integer");
}

double Metadata::as_double() const {
  if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    return static_cast<double>(*integer);
  }
  return get<double>(value_, "number");
}

const std::string& Metadata::as_string() const {
  return get<std::string>(value_, "string");
}

const Metadata::Array& Metadata::as_array() const {
  return get<Array>(value_, "array");
}

const Metadata::Object& Metadata::as_object() const {
  return get<Object>(value_, "object");
}

const Metadata& Metadata::at(std::string_view key) const {
  const Object& object = as_object();
  if (const auto found = object.find(key); found != object.end()) {
    return found->second;
  }
  std::string keys;
  for (const auto& [name, unused] : object) {
    keys.append(keys.empty() ? "" : " ").append(name);
  }
  throw Error(Errc::kNotFound, "metadata lacks an entry").with("key", key).with("found", keys);
}

bool Metadata::has(std::string_view key) const noexcept {
  const auto* object = std::get_if<Object>(&value_);
  return object != nullptr && object->find(key) != object->end();
}

Metadata& Metadata::operator[](const std::string& key) {
  if (is_null()) {
    value_ = Object{};
  }
  get<Object>(value_, "object");
  return std::get<Object>(value_)[key];
}

}  // namespace askos::io
