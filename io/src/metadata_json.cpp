// SPDX-License-Identifier: Apache-2.0
//
// nlohmann-json reads an integer beyond 64 bits as a double without a word; its SAX interface shows
// the token, so such a number is refused here instead.
#include <askos/base/error.hpp>
#include <askos/io/metadata.hpp>

#include <nlohmann/json.hpp>

namespace askos::io {
namespace {

constexpr std::size_t kMaxDepth = 100;

nlohmann::json to_nlohmann(const Metadata& value) {
  return std::visit(
      [](const auto& held) -> nlohmann::json {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, double>) {
          if (!std::isfinite(held)) {
            throw Error(Errc::kInvalidInput, "JSON has no number for a value that is not finite")
                .with("value", held);
          }
          return held;
        } else if constexpr (std::is_same_v<T, Metadata::Array>) {
          auto array = nlohmann::json::array();
          for (const Metadata& entry : held) {
            array.push_back(to_nlohmann(entry));
          }
          return array;
        } else if constexpr (std::is_same_v<T, Metadata::Object>) {
          auto object = nlohmann::json::object();
          for (const auto& [key, entry] : held) {
            object[key] = to_nlohmann(entry);
          }
          return object;
        } else {
          return held;
        }
      },
      value.value());
}

/// Builds a `Metadata` from the parser's events.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(Metadata& root) : root_(&root) {}

  bool null() override { return put({}); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (!std::in_range<std::int64_t>(value)) {
      refuse("integer does not fit into 64 bits", std::to_string(value));
    }
    return put(static_cast<std::int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t& token) override {
    if (token.find_first_of(".eE") == std::string::npos) {
      refuse("integer does not fit into 64 bits", token);
    }
    return put(value);
  }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*size*/) override { return open(Metadata::Object{}); }
  bool start_array(std::size_t /*size*/) override { return open(Metadata::Array{}); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (open_.back()->has(name)) {
      refuse("key appears twice", name);
    }
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t /*position*/,
                   const std::string& /*token*/,
                   const nlohmann::json::exception& fault) override {
    refuse("not valid JSON", fault.what());
  }

 private:
  [[noreturn]] static void refuse(const char* text, const std::string& found) {
    throw Error(Errc::kInvalidInput, text).with("found", found);
  }

  Metadata& place() {
    if (open_.empty()) {
      return *root_;
    }
    Metadata& parent = *open_.back();
    if (std::holds_alternative<Metadata::Object>(parent.value())) {
      return parent[key_];
    }
    auto& array = const_cast<Metadata::Array&>(parent.as_array());  // the tree is ours
    return array.emplace_back();
  }
  bool put(Metadata value) {
    place() = std::move(value);
    return true;
  }
  bool open(Metadata value) {
    if (open_.size() == kMaxDepth) {
      refuse("JSON is nested too deeply", std::to_string(kMaxDepth) + " levels");
    }
    Metadata& at = place();
    at = std::move(value);
    open_.push_back(&at);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Metadata* root_;
  std::vector<Metadata*>
      open_;  // containers not yet closed; children never outgrow a parent in use
  std::string key_;
};

}  // namespace

std::string to_json(const Metadata& value, bool compact) {
  try {
    return to_nlohmann(value).dump(compact ? -1 : 2);
  } catch (const nlohmann::json::exception& fault) {
    throw Error(Errc::kInvalidInput, "cannot write metadata as JSON").with("reason", fault.what());
  }
}

Metadata parse_json(std::string_view text) {
  Metadata root;
  Builder builder(root);
  nlohmann::json::sax_parse(text, &builder);
  return root;
}

}  // namespace askos::io
