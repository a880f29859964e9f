// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace askos::io {

/// Takes bytes in order.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void append(std::span<const std::byte> bytes) = 0;
  void append(std::string_view text) { append(std::as_bytes(std::span(text))); }
};

}  // namespace askos::io
