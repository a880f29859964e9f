// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/error.hpp>

#include <string>

namespace askos::model {

/// Collects what is wrong with a value, so that one error can list it all.
class Faults {
 public:
  /// Notes `fault` unless `holds`.
  void check(bool holds, const std::string& fault) {
    if (!holds) list_ += (list_.empty() ? "" : "; ") + fault;
  }

  /// Throws `Errc::kInvalidInput` with `text` and the list, if there is any.
  void throw_if_any(const std::string& text) const {
    if (!list_.empty()) throw Error(Errc::kInvalidInput, text).with("faults", list_);
  }

 private:
  std::string list_;
};

}  // namespace askos::model
