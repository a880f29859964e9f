// SPDX-License-Identifier: Apache-2.0
#include "launch/launch_command.hpp"

#include "launch/fleets.hpp"
#include "launch/launcher.hpp"
#include "launch/signal_queue.hpp"
#include "launch/supervisor.hpp"

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/placement.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace askos::apps {
namespace {

struct LaunchOptions {
  int num_ranks = 0;  ///< 0: one per GPU
  std::string hosts;
  std::string interface;
  bool gpus = false;
  std::string master_address = "127.0.0.1";
  std::uint16_t master_port = 0;
  std::string grace = "10 s";
  bool no_prefix = false;
  bool quiet = false;
  bool supervise = false;
  std::vector<std::string> command;
};

Fleet start_on_gpus(const LaunchOptions& options) {
  const int num_gpus = comm::count_gpus();
  if (options.num_ranks == 0 && num_gpus == 0) {
    throw Error(Errc::kEnvironment, "this host has no GPU (-n says how many processes to start)");
  }
  if (options.num_ranks > num_gpus) {
    std::cerr << "askos: warning: more ranks than GPUs: ranks=" << options.num_ranks
              << ", GPUs=" << num_gpus << "\n";
  }
  return start_gpu_fleet({.num_ranks = options.num_ranks > 0 ? options.num_ranks : num_gpus,
                          .master_address = options.master_address,
                          .master_port = options.master_port,
                          .num_gpus = num_gpus,
                          .command = options.command});
}

int launch(const LaunchOptions& options) {
  if (options.supervise) {
    return supervise(options.command, options.gpus);
  }
  const LauncherOptions launcher{
      .prefix = !options.no_prefix, .quiet = options.quiet, .grace = parse_duration(options.grace)};
  if (options.num_ranks == 0 && !options.gpus) {
    throw Error(Errc::kUsage, "say how many ranks: askos launch -n N -- COMMAND");
  }
  SignalQueue signals(launcher_signals());
  if (options.gpus && options.hosts.empty()) {
    return look_after(start_on_gpus(options), signals, launcher);
  }
  return look_after(start_mpi_fleet({.num_ranks = options.num_ranks,
                                     .hosts = options.hosts,
                                     .interface = options.interface,
                                     .on_gpu = options.gpus,
                                     .command = options.command}),
                    signals, launcher);
}

}  // namespace

void add_launch(const CommandLine& line) {
  auto& command = *line.app.add_subcommand(
      "launch", "start the ranks of a command as processes and look after them");
  auto options = std::make_shared<LaunchOptions>();
  command.add_option("-n,--ranks", options->num_ranks, "number of ranks; with --gpus one per GPU")
      ->check(CLI::Range(1, 65536));
  command
      .add_option("--hosts", options->hosts, "hosts and their ranks: a:2,b:2 (default: this one)")
      ->type_name("HOSTS");
  command
      .add_option("--interface", options->interface,
                  "network interface over which ranks of several hosts talk")
      ->type_name("NAME");
  command.add_flag("--gpus", options->gpus,
                   "a process for each GPU of this host, with torchrun's variables");
  command.add_option("--master-address", options->master_address, "with --gpus: where ranks meet")
      ->capture_default_str();
  command.add_option("--master-port", options->master_port, "0: a free one")->capture_default_str();
  command
      .add_option("--grace", options->grace,
                  "time that ranks have to end by themselves once one has failed")
      ->capture_default_str();
  command.add_flag("--no-prefix", options->no_prefix, "do not print the rank before each line");
  command.add_flag("--quiet", options->quiet, "do not print where ranks run");
  command.add_flag("--supervise", options->supervise)->group("");  // how it starts itself on a rank
  command.add_option("command", options->command, "the command, after --")->required();
  command.footer(
      "Example: askos launch -n 4 -- askos train examples/storm/train.toml\n"
      "INT, TERM and HUP reach the ranks as TERM, USR1 and USR2 as they are; a second INT or TERM "
      "ends them at once.\nExit codes: 4 if a rank was lost, else the first that is not 0.");
  command.callback(
      [&action = line.action, options] { action = [options] { return launch(*options); }; });
}

}  // namespace askos::apps
