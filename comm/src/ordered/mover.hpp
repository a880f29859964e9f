// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "call.hpp"

#include <askos/base/error.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace askos::comm {

class Rendezvous;

/// What a stream held at one moment.
class Mark {
 public:
  virtual ~Mark() = default;
};

/// The bytes of a collective on their way.
class Transfer {
 public:
  virtual ~Transfer() = default;
  /// Any thread. Throws what the device reports.
  [[nodiscard]] virtual bool is_done() const = 0;
  /// Makes what `stream` is given from now on wait. Any thread.
  virtual void hold_back(Stream stream) const = 0;
};

/// One group's connection between this rank and the others.
class Link {
 public:
  virtual ~Link() = default;

  /// Queues the bytes of a collective that all ranks of the group start next of all collectives
  /// that they share with this rank, once the work before `after` is done. The mover's thread.
  [[nodiscard]] virtual std::shared_ptr<Transfer> start(const Call& call, const Mark* after) = 0;

  /// Makes the links of the groups into which all ranks of this one split, and returns this rank's:
  /// `members` are its ranks of this group, in order. The mover's thread.
  [[nodiscard]] virtual std::unique_ptr<Link> split(const std::vector<int>& members) = 0;

  /// Ends what is under way as it is; `start` and `split` that are running, and later ones, throw
  /// `Errc::kCancelled`. Any thread; waits until the memory of all transfers is out of use.
  virtual void cut() noexcept = 0;

  /// Returns what the transport has met since it was last asked. Any thread.
  [[nodiscard]] virtual std::optional<Error> fault() = 0;
};

/// What moves the bytes of collectives whose order the ranks have agreed on.
class Mover {
 public:
  virtual ~Mover() = default;

  /// Links all ranks; once, the first call of the thread that will use the links and destroy them.
  /// Blocks until all are here or `give_up` is set, which throws `Errc::kCancelled`.
  [[nodiscard]] virtual std::unique_ptr<Link> connect(Rendezvous& rendezvous,
                                                      const std::atomic<bool>& give_up) = 0;

  /// Notes what `stream` holds now. Any thread.
  [[nodiscard]] virtual std::unique_ptr<Mark> mark(Stream stream) = 0;
};

}  // namespace askos::comm
