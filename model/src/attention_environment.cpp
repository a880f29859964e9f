// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/model/attention.hpp>

#include <cstdlib>
#include <string_view>

namespace askos::model {

AttentionBackend with_environment_attention(AttentionBackend backend) {
  const char* const value = std::getenv("ASKOS_ATTENTION");
  if (value == nullptr) return backend;
  const std::string_view name = value;
  if (name == "loops") return AttentionBackend::kLoops;
  if (name == "composite") return AttentionBackend::kComposite;
  throw Error(Errc::kUsage, "environment variable names no attention")
      .with("variable", "ASKOS_ATTENTION")
      .with("value", value)
      .with("expected", "loops or composite");
}

}  // namespace askos::model
