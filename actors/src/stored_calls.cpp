// SPDX-License-Identifier: Apache-2.0
#include "stored_calls.hpp"

#include <array>
#include <cstdio>

namespace askos::actors {

dataflow::StoredArrays stored_calls(const std::string& prefix,
                                    const std::vector<comm::RecordedCall>& calls) {
  dataflow::StoredArrays arrays;
  for (const auto& [call, received] : calls) {
    std::array<char, 16> place{};
    std::snprintf(place.data(), place.size(), "%06zu ", arrays.size());
    arrays.push_back({.name = prefix + place.data() + call,
                      .shape = {static_cast<std::int64_t>(received.size())},
                      .dtype = DType::kUInt8,
                      .bytes = received});
  }
  return arrays;
}

std::vector<comm::RecordedCall> calls_of(const std::string& prefix,
                                         const dataflow::StoredArrays& arrays) {
  std::vector<comm::RecordedCall> calls;
  for (const auto& array : arrays) {
    if (!array.name.starts_with(prefix)) continue;
    const auto space = array.name.find(' ', prefix.size());
    calls.push_back({.call = space == std::string::npos ? "" : array.name.substr(space + 1),
                     .received = array.bytes});
  }
  return calls;
}

}  // namespace askos::actors
