// SPDX-License-Identifier: Apache-2.0
#include "command_line/error_report.hpp"
#include "commands.hpp"

int main(int argc, char** argv) {
  using namespace askos::apps;  // NOLINT(google-build-using-namespace)
  return run_reporting([&] {
    CLI::App app("askos: weather models as a dataflow graph of actors", "askos");
    app.require_subcommand(1);
    CommonOptions common;
    std::function<int()> action;
    const ModelLine line{app, common, action};
    add_train(line);
    add_evaluate(line);
    add_forecast(line);
    add_memory(line);
    add_parity(line);
    add_replay(line);
    add_weights(line);
    if (const auto code = parse(app, argc, argv, common)) {
      return *code;
    }
    return action();
  });
}
