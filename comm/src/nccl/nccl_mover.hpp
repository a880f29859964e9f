// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nccl/device_calls.hpp"
#include "ordered/mover.hpp"

#include <memory>

namespace askos::comm {

/// Moves memory of GPUs by NCCL's sends and receives on one stream. Sums are made by a kernel of
/// ours in rank order, so that their bits depend on no algorithm or protocol of NCCL's.
class NcclMover final : public Mover {
 public:
  /// Throws `Errc::kEnvironment` if there is no such GPU or NCCL is too old.
  explicit NcclMover(int device);

  [[nodiscard]] std::unique_ptr<Link> connect(Rendezvous& rendezvous,
                                              const std::atomic<bool>& give_up) override;
  [[nodiscard]] std::unique_ptr<Mark> mark(Stream stream) override;

 private:
  std::shared_ptr<CollectiveStream> stream_;
};

}  // namespace askos::comm
