// SPDX-License-Identifier: Apache-2.0
#include "parity/json_object.hpp"

#include <askos/base/error.hpp>

#include <fstream>

namespace askos::apps {

nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) {
    throw Error(Errc::kNotFound, "cannot read file").with("file", path.string());
  }
  try {
    return nlohmann::json::parse(file);
  } catch (const nlohmann::json::exception& fault) {
    throw Error(Errc::kInvalidInput, "file is not JSON")
        .with("file", path.string())
        .with("reason", fault.what());
  }
}

JsonObject::JsonObject(const nlohmann::json& value, std::string place)
    : value_(&value), place_(std::move(place)), read_(std::make_shared<std::set<std::string>>()) {
  if (!value.is_object()) {
    throw Error(Errc::kInvalidInput, "an object is expected").with("place", place_);
  }
}

bool JsonObject::has(const std::string& key) const {
  read_->insert(key);
  return value_->contains(key);
}

const nlohmann::json& JsonObject::at(const std::string& key) const {
  if (!has(key)) {
    throw Error(Errc::kInvalidInput, "a key is missing").with("key", place_ + key);
  }
  return value_->at(key);
}

JsonObject JsonObject::object(const std::string& key) const {
  return {at(key), place_ + key + "."};
}

void JsonObject::ignore(std::initializer_list<const char*> keys) const {
  read_->insert(keys.begin(), keys.end());
}

void JsonObject::refuse_unread() const {
  std::string unread;
  for (const auto& [key, value] : value_->items()) {
    if (!read_->contains(key)) {
      unread += (unread.empty() ? "" : ", ") + place_ + key;
    }
  }
  if (!unread.empty()) {
    throw Error(Errc::kInvalidInput, "option that askos does not know").with("option", unread);
  }
}

void JsonObject::refuse_value(const std::string& key, const std::string& expected) const {
  throw Error(Errc::kInvalidInput, "option has a value that askos does not know")
      .with("option", place_ + key)
      .with("value", at(key).dump())
      .with("known", expected);
}

}  // namespace askos::apps
