// SPDX-License-Identifier: Apache-2.0
#include "base64.hpp"

#include <askos/base/error.hpp>

#include <array>
#include <cstdint>

namespace askos::dataflow {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoDigit = 64;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

}  // namespace

std::string to_base64(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t left = bytes.size() - at;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < left ? std::to_integer<std::uint32_t>(bytes[at + i]) : 0);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= left ? kDigits[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return text;
}

std::vector<std::byte> from_base64(std::string_view text) {
  const auto refuse = [] { return Error(Errc::kCorruptData, "text is not base64"); };
  if (text.size() % 4 != 0) throw refuse();
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool last = at + 4 == text.size();
    std::size_t padding = 0;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const char digit = text[at + i];
      const auto value = kValues[static_cast<unsigned char>(digit)];
      if (last && i >= 2 && digit == '=') {
        ++padding;
      } else if (value == kNoDigit || padding > 0) {
        throw refuse();
      }
      group = group << 6 | (value & 63);
    }
    for (std::size_t i = 0; i < 3 - padding; ++i) {
      bytes.push_back(static_cast<std::byte>(group >> (16 - 8 * i) & 255));
    }
  }
  return bytes;
}

}  // namespace askos::dataflow
