// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "command_line/common_options.hpp"

namespace askos::apps {

void add_check(const CommandLine& line);
void add_run(const CommandLine& line);
void add_ps(const CommandLine& line);
void add_top(const CommandLine& line);
void add_why(const CommandLine& line);
void add_dot(const CommandLine& line);
void add_pause(const CommandLine& line);
void add_resume(const CommandLine& line);
void add_step(const CommandLine& line);
void add_hold(const CommandLine& line);
void add_peek(const CommandLine& line);
void add_break(const CommandLine& line);
void add_credit(const CommandLine& line);
void add_set(const CommandLine& line);
void add_simulate(const CommandLine& line);
void add_drain(const CommandLine& line);
void add_trace(const CommandLine& line);

}  // namespace askos::apps
