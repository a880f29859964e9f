// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/id.hpp>
#include <askos/base/unit.hpp>
#include <askos/comm/partition.hpp>

#include <memory>
#include <utility>

namespace askos::dataflow {

/// What is known of a packet without looking at its payload.
struct PacketMeta {
  SampleId sample{};     ///< which sample of the run it belongs to
  TraceId trace{};       ///< follows the sample through stages and ranks
  comm::Range cells{};   ///< the part of the grid that the payload covers
  double weight = 1;     ///< 0: a null sample, worked on for the sake of the peers but not counted
  Bytes host_bytes{};    ///< memory that the payload holds on the host
  Bytes device_bytes{};  ///< memory that the payload holds on a device
};

class EdgeState;

/// The right to a place on an edge, given back when it dies. Movable, any thread.
class Lease {
 public:
  Lease() noexcept = default;
  Lease(EdgeState& edge, Bytes host_bytes, Bytes device_bytes) noexcept
      : edge_(&edge), host_bytes_(host_bytes), device_bytes_(device_bytes) {}
  Lease(Lease&& other) noexcept
      : edge_(std::exchange(other.edge_, nullptr)),
        host_bytes_(other.host_bytes_),
        device_bytes_(other.device_bytes_) {}
  Lease& operator=(Lease&& other) noexcept;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { release(); }

  /// Gives the credit back now.
  void release() noexcept;

 private:
  EdgeState* edge_ = nullptr;
  Bytes host_bytes_;
  Bytes device_bytes_;
};

/// A packet of any payload type, as it lies on an edge. The payload dies before the lease: credit
/// that came back first would let one packet more into memory than the edge's bound says.
struct AnyPacket {
  PacketMeta meta;
  Lease lease;
  std::shared_ptr<const void> payload;
};

/// A packet in a stage's hands. Its credit goes back to the producer when the packet dies, so keep
/// it exactly as long as the payload is in use; copies of the payload handle do not hold credit.
template <typename T>
struct Packet {
  PacketMeta meta;
  Lease lease;
  std::shared_ptr<const T> payload;

  explicit Packet(AnyPacket&& any) noexcept
      : meta(any.meta),
        lease(std::move(any.lease)),
        payload(std::static_pointer_cast<const T>(std::move(any.payload))) {}

  const T& operator*() const noexcept { return *payload; }
  const T* operator->() const noexcept { return payload.get(); }
};

}  // namespace askos::dataflow
