// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "command_line/common_options.hpp"

namespace askos::apps {

void add_checkpoint(const CommandLine& line);
void add_import(const CommandLine& line);
void add_record(const CommandLine& line);
/// `argv` are the program's, for recordings that need the program with LibTorch.
void add_replay(const CommandLine& line, char** argv);
void add_verify(const CommandLine& line);

}  // namespace askos::apps
