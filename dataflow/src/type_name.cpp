// SPDX-License-Identifier: Apache-2.0
#include "type_name.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace askos::dataflow {

std::string type_name(std::type_index type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : type.name();
}

}  // namespace askos::dataflow
