// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>

namespace askos::actors {

/// Where a forecast's shards go.
enum class Layout {
  kSharded,  ///< each rank keeps its own: nothing moves
  kRooted,   ///< rank 0 of the model gets the whole grid, the others an empty range
};

/// Brings forecasts into the layout that their consumer wants. Truth and persistence stay behind
/// when anything moves.
class Gather final : public dataflow::Stage {
 public:
  Gather(const RankContext& rank, Layout layout);

  dataflow::In<Prediction> shard;
  dataflow::Out<Prediction> gathered;

  void run(dataflow::Context& context) override;
  [[nodiscard]] dataflow::Threading threading() const override;
  [[nodiscard]] std::string communicator() const override;

 private:
  RankContext rank_;
  Layout layout_;
};

}  // namespace askos::actors
