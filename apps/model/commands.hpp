// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "command_line/common_options.hpp"

#include <functional>

namespace askos::apps {

/// A program whose subcommands set `action`, which runs once all options are parsed.
struct ModelLine {
  CLI::App& app;
  CommonOptions& common;
  std::function<int()>& action;
};

void add_train(const ModelLine& line);
void add_evaluate(const ModelLine& line);
void add_forecast(const ModelLine& line);
void add_memory(const ModelLine& line);
void add_parity(const ModelLine& line);
void add_replay(const ModelLine& line);
void add_weights(const ModelLine& line);

}  // namespace askos::apps
