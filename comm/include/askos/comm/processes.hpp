// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>

#include <memory>
#include <optional>

namespace askos::comm {

/// The processes that a launcher (mpirun, or sbatch with mpirun inside) started as one run, and
/// this one's place among them. A process without a launcher is alone.
///
/// Each watches the others: one that ends early or sends no heartbeat is lost, and all collectives
/// of all communicators then throw `Errc::kRankLost` naming it and its host. Link askos::processes.
class Processes {
 public:
  /// Returns how many processes the launcher started, without starting anything itself.
  [[nodiscard]] static int num_launched() noexcept;

  /// Joins the run; once per process, before other threads exist if they must leave signals alone.
  /// Blocks until all processes are here. Throws `Errc::kEnvironment` if MPI does not support
  /// threads, or if this build has no MPI but the launcher started several processes.
  Processes();
  /// Leaves: waits for all others to come here, unless the run has failed.
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  [[nodiscard]] int rank() const noexcept;
  [[nodiscard]] int size() const noexcept;
  [[nodiscard]] bool is_root() const noexcept { return rank() == 0; }
  /// Number of processes of the run on this host, this one included.
  [[nodiscard]] int num_on_this_host() const;

  /// Makes a communicator over all processes; they must call it in the same order. The bits of its
  /// sums are those of a local group. It must die before this object.
  [[nodiscard]] std::unique_ptr<Communicator> make_communicator(const LocalOptions& options = {});

  /// Takes a process that was silent for `heartbeat` as lost; before, only one that has ended. All
  /// processes must give the same.
  void expect_heartbeats(Nanoseconds heartbeat);

  /// Ends the run: all waits of all processes, now and later, throw `error`. The first one stays.
  /// Any thread.
  void fail(const Error& error) noexcept;

  /// Why the run has ended, if `fail` was called anywhere or a process was lost. Any thread.
  [[nodiscard]] std::optional<Error> failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace askos::comm
