// SPDX-License-Identifier: Apache-2.0
#include "command_line/delegate.hpp"

#include <askos/base/error.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace askos::apps {

void delegate(const DelegatedVerb& verb, char** argv) {
  std::error_code fault;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", fault);
  const auto program = (self.parent_path() / verb.program).string();
  // OpenMP threads that spin while they wait would take the cores from the other local ranks; the
  // setting is read when the library is loaded. The user's own setting wins.
  ::setenv("OMP_WAIT_POLICY", "passive", 0);
  if (!fault) {
    ::execv(program.c_str(), argv);
  }
  throw Error(Errc::kEnvironment, "cannot start the program for this command")
      .with("command", verb.verb)
      .with("program", program)
      .with("reason", std::strerror(errno));
}

}  // namespace askos::apps
