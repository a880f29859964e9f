// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>

namespace askos::apps {

/// Reads a JSON file. Throws `Errc::kNotFound` or, with its name, `Errc::kInvalidInput`.
[[nodiscard]] nlohmann::json read_json(const std::filesystem::path& path);

/// Reads one object of a case's JSON file and remembers what was asked for, so that an option which
/// nothing understands is refused instead of passed over. Every error names the key's whole place,
/// for instance `model.json: encoder.num_heads`.
class JsonObject {
 public:
  /// `value` must outlive this. Throws `Errc::kInvalidInput` unless it is an object.
  JsonObject(const nlohmann::json& value, std::string place);

  [[nodiscard]] bool has(const std::string& key) const;
  /// Returns the value of `key`, which must be there.
  [[nodiscard]] const nlohmann::json& at(const std::string& key) const;
  [[nodiscard]] JsonObject object(const std::string& key) const;

  /// Returns the value of `key` as a `T`.
  template <typename T>
  [[nodiscard]] T get(const std::string& key) const {
    const nlohmann::json& value = at(key);
    try {
      return value.get<T>();
    } catch (const nlohmann::json::exception&) {
      refuse_value(key, "its type");
    }
  }
  /// As above; `otherwise` where the key is absent or null.
  template <typename T>
  [[nodiscard]] T get(const std::string& key, const T& otherwise) const {
    return has(key) && !at(key).is_null() ? get<T>(key) : otherwise;
  }
  /// Returns what `key`'s text stands for in `names`, a list of pairs.
  template <typename T>
  [[nodiscard]] T choose(const std::string& key,
                         std::initializer_list<std::pair<const char*, T>> names) const {
    const auto text = get<std::string>(key);
    std::string known;
    for (const auto& [name, value] : names) {
      if (text == name) {
        return value;
      }
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
    refuse_value(key, known);
  }

  /// Passes over keys that describe and decide nothing.
  void ignore(std::initializer_list<const char*> keys) const;
  /// Throws `Errc::kInvalidInput` with every key that was not asked for.
  void refuse_unread() const;
  [[noreturn]] void refuse_value(const std::string& key, const std::string& expected) const;

 private:
  const nlohmann::json* value_;
  std::string place_;
  std::shared_ptr<std::set<std::string>> read_;
};

}  // namespace askos::apps
