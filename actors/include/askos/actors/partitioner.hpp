// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>

namespace askos::actors {

/// Cuts a window into input and target. Where a rank reads other cells than it owns (fewer readers
/// than ranks), the cells go to their owners within the reader group first.
class Partitioner final : public dataflow::Stage {
 public:
  explicit Partitioner(const RankContext& rank);

  dataflow::In<Window> window;
  dataflow::Out<Sample> sample;

  void run(dataflow::Context& context) override;
  [[nodiscard]] dataflow::Threading threading() const override;
  [[nodiscard]] std::string communicator() const override;

 private:
  [[nodiscard]] bool redistributes() const;
  [[nodiscard]] at::Tensor own_cells(at::Tensor rows) const;

  RankContext rank_;
};

}  // namespace askos::actors
