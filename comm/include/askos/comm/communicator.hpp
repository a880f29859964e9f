// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/shape.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace askos::comm {

/// Memory that a collective reads or writes: `count` entries of `dtype`, contiguous.
/// It stays the caller's, must live until the `Work` is done, and must not be touched before.
struct ConstBuffer {
  const void* data = nullptr;
  std::int64_t count = 0;
  DType dtype = DType::kFloat32;
};
struct Buffer {
  void* data = nullptr;
  std::int64_t count = 0;
  DType dtype = DType::kFloat32;

  operator ConstBuffer() const noexcept {
    return {data, count, dtype};
  }  // NOLINT(google-explicit-constructor)
};

/// A queue of work on a device: a `cudaStream_t`, null for the default stream. The host has none.
struct Stream {
  void* handle = nullptr;
};

enum class ReduceOp { kSum, kMax, kMin };

/// A collective under way. `wait` from one thread at a time; destroying it before it is done waits.
class Work {
 public:
  virtual ~Work() = default;

  /// Tells whether `wait` would return or throw at once.
  [[nodiscard]] virtual bool done() const noexcept = 0;

  /// Blocks the calling thread until the collective is complete on this rank, accounted as
  /// `wait.comm`. Throws `Errc::kRankLost` naming collective, sequence number and missing ranks
  /// when the communicator's deadline passes, and what the progress thread met (for instance ranks
  /// that entered different collectives: `Errc::kInternal`, naming both).
  virtual void wait() = 0;

  /// Makes what `stream` is given from now on wait for the collective, and throws as `wait` does if
  /// that is known by now. Blocks the calling thread only until all ranks have entered; on the host
  /// until it is complete. The memory must live until the stream has passed this point.
  virtual void wait_on(Stream /*stream*/) { wait(); }
};

using WorkPtr = std::unique_ptr<Work>;

/// Moves memory between the ranks of one group. All ranks call the same operations in the same
/// order; each call returns at once and completes in the background. One thread per rank.
///
/// Counts are entries, not bytes. Uneven and empty shards are the normal case. Sums of float16 and
/// bfloat16 accumulate in float32; on the CPU partial sums are added in rank order, so that a
/// result repeats bit by bit on one layout.
class Communicator {
 public:
  virtual ~Communicator() = default;

  [[nodiscard]] virtual int rank() const noexcept = 0;
  [[nodiscard]] virtual int size() const noexcept = 0;
  [[nodiscard]] virtual const std::string& name() const noexcept = 0;
  /// Number of bytes that this rank has sent to others so far (self copies do not count).
  [[nodiscard]] virtual std::int64_t bytes_sent() const noexcept = 0;

  /// Names the stream on which the buffers of the collectives that come are written: each starts
  /// when the work that the stream holds at its call is done. At first the default stream. Backends
  /// that move host memory ignore it.
  virtual void follow(Stream /*stream*/) noexcept {}

  /// Combines `data` of all ranks in place. Wire: (P - 1) * bytes sent per rank at most.
  [[nodiscard]] virtual WorkPtr all_reduce(Buffer data, ReduceOp op = ReduceOp::kSum) = 0;

  /// Concatenates `send` of all ranks, in rank order, into `receive` on every rank. `counts[r]` is
  /// rank r's `send.count`. `send` may be its own place in `receive`. Wire: (P - 1) * own bytes.
  [[nodiscard]] virtual WorkPtr all_gather(ConstBuffer send,
                                           Buffer receive,
                                           std::span<const std::int64_t> counts) = 0;

  /// Sums `send` (the whole axis) over ranks and leaves part r, of `counts[r]` entries, on rank r.
  /// The buffers must not overlap. Wire: all bytes of `send` but the own part.
  [[nodiscard]] virtual WorkPtr reduce_scatter(ConstBuffer send,
                                               Buffer receive,
                                               std::span<const std::int64_t> counts) = 0;

  /// Sends `send_counts[r]` entries to rank r, packed in rank order, and receives
  /// `receive_counts[r]` from rank r. Zero counts are allowed; this is also how halos are
  /// exchanged.
  [[nodiscard]] virtual WorkPtr all_to_all(ConstBuffer send,
                                           std::span<const std::int64_t> send_counts,
                                           Buffer receive,
                                           std::span<const std::int64_t> receive_counts) = 0;

  /// Copies `data` of rank `root` to all ranks. Wire: (P - 1) * bytes, sent by the root.
  [[nodiscard]] virtual WorkPtr broadcast(Buffer data, int root) = 0;

  /// Completes when all ranks have entered it.
  [[nodiscard]] virtual WorkPtr barrier() = 0;

  /// Makes a communicator of its own order over the ranks that give the same `color`, ranked by
  /// their order here. Collective over all ranks of this one; blocks. `name` is for messages.
  [[nodiscard]] virtual std::unique_ptr<Communicator> split(int color, const std::string& name) = 0;

  /// A communicator over the same ranks with an order of its own, for one more stage.
  [[nodiscard]] std::unique_ptr<Communicator> derive(const std::string& name) {
    return split(0, name);
  }

  /// Gives up: every wait for what is not complete, on all ranks, now and later, here and on all
  /// communicators split from this one, throws `Errc::kCancelled` with `reason`. Any thread.
  virtual void abort(const std::string& reason) noexcept = 0;
};

struct LocalOptions {
  Nanoseconds deadline = std::chrono::seconds(60);  ///< longest wait of a collective
  std::string name = "world";
};

/// Makes the communicators of `num_ranks` ranks that are threads of this process; entry r is rank
/// r's. Bytes are moved by the last rank to enter if they are few, else by ranks that wait or by a
/// progress thread beside compute. A rank whose communicator dies fails what it has not entered on
/// the others. Throws `Errc::kInvalidInput` if there is no rank.
[[nodiscard]] std::vector<std::unique_ptr<Communicator>> make_local_group(
    int num_ranks, const LocalOptions& options = {});

}  // namespace askos::comm
