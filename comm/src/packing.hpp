// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace askos::comm {

/// Puts numbers, texts and errors one after another, for messages between processes of one build.
class Packer {
 public:
  Packer& put(std::int64_t number);
  Packer& put(std::string_view text);
  Packer& put(const std::vector<std::int64_t>& numbers);
  Packer& put(const Error& error);

  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads back what a `Packer` wrote, in the same order. Throws `Errc::kCorruptData` if it ends too
/// early. `bytes` must outlive it.
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) noexcept : rest_(bytes) {}

  [[nodiscard]] std::int64_t number();
  [[nodiscard]] int integer() { return static_cast<int>(number()); }
  [[nodiscard]] std::string text();
  [[nodiscard]] std::vector<std::int64_t> numbers();
  [[nodiscard]] Error error();

 private:
  [[nodiscard]] std::string_view take(std::size_t num_bytes);

  std::string_view rest_;
};

}  // namespace askos::comm
