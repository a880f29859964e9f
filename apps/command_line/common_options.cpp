// SPDX-License-Identifier: Apache-2.0
#include "command_line/common_options.hpp"

#include <askos/base/error.hpp>
#include <askos/base/log.hpp>

#include <iostream>

namespace askos::apps {

void add_common_options(CLI::App& command, CommonOptions& options) {
  command.add_flag("--json", options.json, "print the same as JSON, one object per line");
  command.add_option("--log-level", options.log_level, "debug, info, warn, error or off")
      ->capture_default_str();
}

void add_settings(CLI::App& command, std::vector<std::string>& settings) {
  command
      .add_option("--set", settings, "replace a value of the file: key=value, with the file's keys")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::optional<int> parse(CLI::App& app,
                         int argc,
                         const char* const* argv,
                         const CommonOptions& options) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& fault) {
    if (fault.get_exit_code() == 0) {  // --help, --version
      return app.exit(fault, std::cout, std::cerr);
    }
    throw Error(Errc::kUsage, fault.what());
  }
  set_log_level(options.log_level);
  return std::nullopt;
}

}  // namespace askos::apps
