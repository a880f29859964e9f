// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace askos::apps {

/// A command that another program carries out, so that `askos` itself stays small and quick.
struct DelegatedVerb {
  std::string_view verb;
  std::string_view program;  ///< lies beside `askos`
  std::string_view help;
};

/// Replaces this process by the program that lies beside it, with the same arguments (`argv[1]` is
/// the verb). Throws `Errc::kEnvironment` if it cannot.
[[noreturn]] void delegate(const DelegatedVerb& verb, char** argv);

}  // namespace askos::apps
