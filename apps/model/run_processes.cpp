// SPDX-License-Identifier: Apache-2.0
#include "run_processes.hpp"

#include "command_line/error_report.hpp"
#include "core_share.hpp"
#include "run_config_file.hpp"

#include <askos/base/error.hpp>
#include <askos/comm/agreement.hpp>

#include <iostream>
#include <sstream>
#include <string>

namespace askos::apps {
namespace {

/// Lists the entries of a configuration as `training.steps`, `300`.
comm::Facts facts_of(const actors::RunConfig& config) {
  comm::Facts facts{{"askos", ASKOS_VERSION}};
  std::istringstream lines(to_toml(config));
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('[')) {
      section = line.substr(1, line.find(']') - 1) + ".";
    } else if (const auto middle = line.find(" = "); middle != std::string::npos) {
      facts.emplace_back(section + line.substr(0, middle), line.substr(middle + 3));
    }
  }
  return facts;
}

/// Whether each rank that meets such an error has something of its own to say about it.
bool concerns_all(Errc code) {
  return code == Errc::kRankLost || code == Errc::kInternal;
}

}  // namespace

RunProcesses::RunProcesses() : processes_(join_processes()) {
  if (!is_first()) {
    std::cout.rdbuf(nullptr);
  }
  if (are_several()) {
    settling_ = processes_->make_communicator({.deadline = comm::kAnyTime, .name = "settling"});
  }
}

RunProcesses::~RunProcesses() = default;

int RunProcesses::run(const std::function<int()>& body) {
  try {
    const int code = body();
    settle([] {});
    return code;
  } catch (const comm::SettledError& error) {
    if (is_first()) {
      throw;
    }
    throw ReportedElsewhere{exit_code(error.code())};
  } catch (...) {
    return end_by(current_error());
  }
}

int RunProcesses::end_by(const Error& error) {
  const auto known = processes_->failure();
  if (!known) {
    processes_->fail(error);
    throw Error(error);
  }
  if (concerns_all(known->code())) {
    throw Error(error.code() == known->code() ? error : *known);
  }
  throw ReportedElsewhere{exit_code(known->code())};
}

void RunProcesses::settle(const std::function<void()>& step) {
  if (are_several()) {
    comm::settle(*settling_, step);
  } else {
    step();
  }
}

std::shared_ptr<const actors::ProcessPlace> RunProcesses::begin(const actors::RunConfig& config) {
  const auto shares = exchange_core_shares(settling_.get(), config.run.ranks);
  if (is_first()) {
    for (const auto& warning : shares.warnings) {
      std::cerr << "askos: warning: " << warning << "\n";
    }
  }
  if (are_several()) {
    comm::expect_same(*settling_, facts_of(config));
  }
  control_.emplace(settling_.get(), control_host(settling_.get()));
  if (!are_several()) {
    return nullptr;
  }
  processes_->expect_heartbeats(config.run.heartbeat);
  ranks_ = processes_->make_communicator({.deadline = config.run.deadline, .name = "ranks"});
  auto place = std::make_shared<actors::ProcessPlace>();
  place->ranks = ranks_.get();
  place->settling = settling_.get();
  place->num_threads = shares.num_threads;
  if (processes_->has_gpus()) place->device = config.run.device;
  place->fail = [this](const Error& error) { processes_->fail(error); };
  place->failure = [this] { return processes_->failure(); };
  return place;
}

comm::Communicator* RunProcesses::ranks() {
  if (are_several() && !ranks_) ranks_ = processes_->make_communicator({.name = "ranks"});
  return ranks_.get();
}

std::shared_ptr<void> RunProcesses::show(const dataflow::Session& session) {
  std::shared_ptr<void> shown;
  if (!is_first()) shown = control_->attach(session);
  settle([] {});
  if (is_first()) shown = control_->attach(session);
  return shown;
}

}  // namespace askos::apps
