// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/clock.hpp>
#include <askos/base/id.hpp>
#include <askos/dataflow/packet.hpp>
#include <askos/dataflow/payload_description.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace askos::dataflow {

/// What somebody wants to see of an edge.
struct PeekRequest {
  std::string edge;  ///< `read.out>part.in`
  Rank rank{};
  std::optional<int> index{};  ///< this packet only; 0 is the oldest
  std::string tensor{};        ///< this tensor only
  bool statistics = false;
  int histogram = 0;    ///< bins; 0: none
  std::string slice{};  ///< `0,1:3,:`; empty: none
};

/// What the numbers of a tensor are like.
struct TensorStatistics {
  std::int64_t sampled = 0;  ///< entries looked at, evenly spread; all of a small tensor
  std::int64_t num_nan = 0;
  std::int64_t num_inf = 0;
  double min = 0;  ///< of the finite ones, as all that follow; 0 if there are none
  double max = 0;
  double mean = 0;
  double deviation = 0;
};

struct PeekedTensor {
  TensorView view;
  std::optional<TensorStatistics> statistics{};
  std::vector<double> bin_edges{};  ///< one more than bins
  std::vector<std::int64_t> bin_counts{};
  std::vector<std::int64_t> slice_shape{};
  std::vector<double> slice_values{};  ///< in row order
};

struct PeekedPacket {
  int index = 0;
  PacketMeta meta;
  Nanoseconds age{};
  std::string type{};  ///< of the payload
  bool described = false;
  std::vector<PeekedTensor> tensors{};
  std::shared_ptr<const void> payload{};  ///< keeps what `tensors` show
};

struct Peek {
  std::string edge;
  Rank rank;
  int credit = 0;
  int depth = 0;
  int in_flight = 0;
  std::vector<PeekedPacket> packets{};  ///< those that wait to be taken, oldest first
};

/// Looks at a tensor's numbers: all of them, or some tens of thousands, evenly spread.
[[nodiscard]] TensorStatistics statistics_of(const TensorView& tensor);

}  // namespace askos::dataflow
