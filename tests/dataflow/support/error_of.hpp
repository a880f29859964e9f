// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>

#include <functional>
#include <string>

namespace askos::dataflow::test {

/// Returns what the error that `call` throws says.
inline std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace askos::dataflow::test
