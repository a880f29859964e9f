// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>

#include <memory>
#include <optional>

namespace askos::apps {

/// The processes that a launcher started as one run, and this one's place among them, however
/// their bytes move. See `comm::Processes` for what the functions do.
class ProcessGroup {
 public:
  virtual ~ProcessGroup() = default;

  [[nodiscard]] virtual int rank() const noexcept = 0;
  [[nodiscard]] virtual int size() const noexcept = 0;
  /// Whether each process has a GPU, whose memory the communicators move: the one that CUDA sees.
  [[nodiscard]] virtual bool has_gpus() const noexcept = 0;

  [[nodiscard]] virtual std::unique_ptr<comm::Communicator> make_communicator(
      const comm::LocalOptions& options) = 0;
  virtual void expect_heartbeats(Nanoseconds heartbeat) = 0;
  virtual void fail(const Error& error) noexcept = 0;
  [[nodiscard]] virtual std::optional<Error> failure() const = 0;
};

/// Joins the run: over NCCL with torchrun's variables (from torchrun or `askos launch --gpus`) or
/// on a host with GPUs with MASTER_ADDR beside those of mpirun or srun, else over MPI; a process
/// without a launcher is alone. Leaves the process only its own GPU, so before CUDA is used. Throws
/// what `comm::DeviceRanks` and `comm::Processes` throw.
[[nodiscard]] std::unique_ptr<ProcessGroup> join_processes();

}  // namespace askos::apps
