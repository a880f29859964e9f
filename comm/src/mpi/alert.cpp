// SPDX-License-Identifier: Apache-2.0
#include "alert.hpp"

#include <cstdint>
#include <cstring>
#include <string>

namespace askos::comm {
namespace {

void put(std::vector<std::byte>& to, std::int32_t number) {
  const auto at = to.size();
  to.resize(at + sizeof number);
  std::memcpy(to.data() + at, &number, sizeof number);
}

void put(std::vector<std::byte>& to, const std::string& text) {
  put(to, static_cast<std::int32_t>(text.size()));
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  to.insert(to.end(), bytes, bytes + text.size());
}

class Source {
 public:
  explicit Source(std::span<const std::byte> bytes) : rest_(bytes) {}

  std::int32_t number() {
    std::int32_t number = 0;
    std::memcpy(&number, take(sizeof number).data(), sizeof number);
    return number;
  }

  std::string text() {
    const auto bytes = take(static_cast<std::size_t>(number()));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  std::span<const std::byte> take(std::size_t size) {
    if (size > rest_.size()) {
      throw Error(Errc::kCorruptData, "an alert ends too early");
    }
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }

  std::span<const std::byte> rest_;
};

}  // namespace

std::vector<std::byte> to_bytes(const Alert& alert) {
  std::vector<std::byte> bytes;
  put(bytes, alert.context);
  put(bytes, static_cast<std::int32_t>(alert.error.code()));
  put(bytes, alert.error.text());
  put(bytes, static_cast<std::int32_t>(alert.error.values().size()));
  for (const auto& [key, value] : alert.error.values()) {
    put(bytes, key);
    put(bytes, value);
  }
  return bytes;
}

Alert to_alert(std::span<const std::byte> bytes) {
  Source source(bytes);
  const int context = source.number();
  const auto code = Errc(source.number());
  Error error(code, source.text());
  for (auto left = source.number(); left > 0; --left) {
    const auto key = source.text();
    error.with(key, source.text());
  }
  return {.context = context, .error = std::move(error)};
}

}  // namespace askos::comm
