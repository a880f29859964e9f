// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/actors/payloads.hpp>
#include <askos/actors/rank_context.hpp>
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/stage.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace askos::actors {

/// Root mean square error of one variable over all samples and a set of cells, in its unit.
struct Score {
  std::string variable;
  std::string unit;
  int lead_hours = 0;
  /// `all`; `interior`: all but the frame of a limited area; `inner5x5`: cells whose 5 x 5
  /// neighbourhood is fully valid.
  std::string cells;
  double rmse = 0;
  double persistence_rmse = 0;
  double spread = 0;  ///< root of the members' mean unbiased variance; 0 without an ensemble
  double crps = 0;    ///< fair continuous ranked probability score (Ferro 2014); 0 likewise
  std::int64_t num_samples = 0;
};

/// One forecast on the whole grid beside what came true, in physical units, for maps.
struct ForecastMap {
  io::Time valid;
  int lead_hours = 0;
  std::vector<float> truth;     ///< [cell, var]
  std::vector<float> forecast;  ///< [cell, var]
};

struct Evaluation {
  std::vector<Score> scores;
  ForecastMap map;  ///< of the last sample; on rank 0 only
};

/// Scores forecasts on the shard: sums of squared errors per variable, lead time and set of cells,
/// unweighted; one sum over ranks at the end.
class Evaluator final : public dataflow::Stage {
 public:
  /// `done` is called once, with the scores of all ranks; its map is filled on rank 0.
  Evaluator(const RankContext& rank, std::function<void(Evaluation)> done);
  ~Evaluator() override;

  dataflow::In<Prediction> prediction;

  void run(dataflow::Context& context) override;
  void finish(dataflow::Context& context) override;
  [[nodiscard]] dataflow::Threading threading() const override {
    return dataflow::Threading::kDedicated;
  }
  [[nodiscard]] std::string communicator() const override { return "scores"; }

 private:
  struct Sums;
  /// The last sample of weight > 0, on the shard.
  struct Last {
    io::Time valid;
    at::Tensor forecast;  ///< [cell, var]
    at::Tensor truth;     ///< [cell, var]
  };

  [[nodiscard]] Evaluation summarise();
  [[nodiscard]] std::vector<float> physical_map(const at::Tensor& field);

  RankContext rank_;
  std::function<void(Evaluation)> done_;
  std::unique_ptr<Sums> sums_;
  std::optional<Last> last_;
};

}  // namespace askos::actors
