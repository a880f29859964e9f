// SPDX-License-Identifier: Apache-2.0
#include "packing.hpp"

#include <cstring>
#include <utility>

namespace askos::comm {

Packer& Packer::put(std::int64_t number) {
  bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
  return *this;
}

Packer& Packer::put(std::string_view text) {
  put(static_cast<std::int64_t>(text.size()));
  bytes_.append(text);
  return *this;
}

Packer& Packer::put(const std::vector<std::int64_t>& numbers) {
  put(static_cast<std::int64_t>(numbers.size()));
  for (const auto number : numbers) {
    put(number);
  }
  return *this;
}

Packer& Packer::put(const Error& error) {
  put(static_cast<std::int64_t>(error.code()));
  put(error.text());
  put(static_cast<std::int64_t>(error.values().size()));
  for (const auto& [key, value] : error.values()) {
    put(key).put(value);
  }
  return *this;
}

std::int64_t Unpacker::number() {
  std::int64_t number = 0;
  std::memcpy(&number, take(sizeof number).data(), sizeof number);
  return number;
}

std::string Unpacker::text() {
  return std::string(take(static_cast<std::size_t>(number())));
}

std::vector<std::int64_t> Unpacker::numbers() {
  std::vector<std::int64_t> numbers;
  for (auto left = number(); left > 0; --left) {
    numbers.push_back(number());
  }
  return numbers;
}

Error Unpacker::error() {
  const auto code = Errc(number());
  Error error(code, text());
  for (auto left = number(); left > 0; --left) {
    const auto key = text();
    error.with(key, text());
  }
  return error;
}

std::string_view Unpacker::take(std::size_t num_bytes) {
  if (num_bytes > rest_.size()) {
    throw Error(Errc::kCorruptData, "a message between ranks ends too early");
  }
  const auto taken = rest_.substr(0, num_bytes);
  rest_.remove_prefix(num_bytes);
  return taken;
}

}  // namespace askos::comm
