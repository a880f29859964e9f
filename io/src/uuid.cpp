// SPDX-License-Identifier: Apache-2.0
#include "uuid.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <random>

namespace askos::io {

std::string make_uuid() {
  std::random_device device;
  std::array<std::uint32_t, 4> words{};
  for (auto& word : words) {
    word = device();
  }
  words[1] = (words[1] & 0xFFFF0FFF) | 0x00004000;  // version 4
  words[2] = (words[2] & 0x3FFFFFFF) | 0x80000000;  // variant 1
  std::array<char, 37> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-%04x-%04x-%04x%08x", words[0], words[1] >> 16,
                words[1] & 0xFFFF, words[2] >> 16, words[2] & 0xFFFF, words[3]);
  return text.data();
}

}  // namespace askos::io
