// SPDX-License-Identifier: Apache-2.0
#include "command_line/error_report.hpp"
#include "commands.hpp"

namespace askos::apps {
namespace {

int run(int argc, char** argv) {
  CLI::App app("askos: make datasets, check them and checkpoints", "askos");
  app.require_subcommand(1);
  CommonOptions common;
  std::function<int()> action;
  const CommandLine line{app, common, action};
  add_checkpoint(line);
  add_import(line);
  add_record(line);
  add_replay(line, argv);
  add_verify(line);
  if (const auto code = parse(app, argc, argv, common)) {
    return *code;
  }
  return action();
}

}  // namespace
}  // namespace askos::apps

int main(int argc, char** argv) {
  return askos::apps::run_reporting([&] { return askos::apps::run(argc, argv); });
}
