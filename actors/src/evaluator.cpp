// SPDX-License-Identifier: Apache-2.0
#include "network_setup.hpp"
#include "root_gather.hpp"

#include <askos/actors/evaluator.hpp>
#include <askos/base/error.hpp>

#include <ATen/ATen.h>

#include <chrono>
#include <cmath>

namespace askos::actors {
namespace {

/// What is summed up: squared errors of forecast and persistence, variance and CRPS of the members.
enum Quantity : std::int64_t { kForecast, kPersistence, kVariance, kCrps, kNumQuantities };

/// Fair CRPS of each entry: mean |x_i - y| - sum over pairs |x_i - x_j| / (2 M (M - 1)).
/// `members` [sample, lead, member, cell, var].
at::Tensor fair_crps(const at::Tensor& members, const at::Tensor& truth) {
  const auto count = members.size(2);
  const auto sorted = std::get<0>(members.sort(2));
  // Among sorted members, the pairs' distances are a weighted sum of the members.
  const auto weights = (2 * at::arange(count, at::kDouble) + (1 - count)).view({1, 1, count, 1, 1});
  return (members - truth.unsqueeze(2)).abs().mean(2) -
         (sorted * weights).sum(2) / static_cast<double>(count * (count - 1));
}

struct CellSet {
  const char* name;
  at::Tensor mask;  ///< float64 [own cell], 1 inside
};

std::vector<CellSet> make_cell_sets(const RankContext& rank) {
  const auto& info = rank.run->index->info();
  const auto num_own = rank.own_cells.size();
  std::vector<CellSet> sets{{"all", at::ones({num_own}, at::kDouble)}};
  if (const auto interior = own_interior(rank); interior.defined()) {
    sets.push_back({"interior", interior.to(at::kDouble)});
  }
  if (info.grid_shape.size() == 2) {
    const auto inner = io::cells_with_full_neighbourhood(info, 2);
    auto mask = at::zeros({num_own}, at::kDouble);
    auto* const values = mask.mutable_data_ptr<double>();
    for (std::int64_t cell = 0; cell < num_own; ++cell) {
      values[cell] = inner[static_cast<std::size_t>(rank.own_cells.begin + cell)] ? 1 : 0;
    }
    sets.push_back({"inner5x5", mask});
  }
  return sets;
}

}  // namespace

/// Running sums on this rank's shard, all float64.
struct Evaluator::Sums {
  std::vector<CellSet> sets;
  at::Tensor to_physical;  ///< [var] factor from normalised to physical differences
  at::Tensor totals;       ///< [set, quantity, lead, var], see `Quantity`
  at::Tensor counts;       ///< [set] cells times samples
  double num_samples = 0;
};

Evaluator::Evaluator(const RankContext& rank, std::function<void(Evaluation)> done)
    : prediction{*this, "prediction", {.dtype = rank.run->config.dtype}},
      rank_(rank),
      done_(std::move(done)),
      sums_(std::make_unique<Sums>()) {
  std::vector<double> factors;
  for (const auto& line : physical_outputs(*rank.run)) {
    factors.push_back(line.scale);
  }
  sums_->sets = make_cell_sets(rank);
  sums_->to_physical = at::tensor(factors, at::kDouble);
  const auto num_sets = static_cast<std::int64_t>(sums_->sets.size());
  const auto& data = rank.run->config.data;
  sums_->totals = at::zeros({num_sets, kNumQuantities, data.test_forecasts * data.num_output_steps,
                             static_cast<std::int64_t>(factors.size())},
                            at::kDouble);
  sums_->counts = at::zeros({num_sets}, at::kDouble);
}

Evaluator::~Evaluator() = default;

void Evaluator::run(dataflow::Context& context) {
  const auto packet = context.take(prediction);
  const auto weights = at::tensor(packet->weights, at::kDouble).view({-1, 1, 1, 1});
  const auto add = [&](Quantity quantity, const at::Tensor& values) {
    const auto weighted = (values * weights).sum(0);  // [lead, cell, var]
    for (std::size_t s = 0; s < sums_->sets.size(); ++s) {
      sums_->totals[static_cast<std::int64_t>(s)][quantity] +=
          (weighted * sums_->sets[s].mask.view({1, -1, 1})).sum(1);
    }
  };
  const auto squared_error = [&](const at::Tensor& forecast) {
    return ((forecast.to(at::kDouble) - packet->truth) * sums_->to_physical).square();
  };
  add(kForecast, squared_error(packet->forecast));
  add(kPersistence, squared_error(packet->persistence.unsqueeze(1)));
  if (packet->members.defined()) {
    const auto members = packet->members.to(at::kDouble) * sums_->to_physical;
    add(kVariance, members.var(2));
    add(kCrps, fair_crps(members, packet->truth.to(at::kDouble) * sums_->to_physical));
  }
  const double num_samples = weights.sum().item<double>();
  sums_->num_samples += num_samples;
  for (std::size_t s = 0; s < sums_->sets.size(); ++s) {
    sums_->counts[static_cast<std::int64_t>(s)] += sums_->sets[s].mask.sum() * num_samples;
  }
  for (std::size_t b = 0; b < packet->weights.size(); ++b) {
    if (packet->weights[b] > 0) {
      const auto at = static_cast<std::int64_t>(b);
      last_ = {.valid = packet->times[b],
               .forecast = packet->forecast[at][0],
               .truth = packet->truth[at][0]};
    }
  }
}

std::vector<float> Evaluator::physical_map(const at::Tensor& field) {
  const auto whole =
      gather_rows_to_root(field, rank_.run->index->info().num_cells(), *rank_.gather);
  const auto lines = physical_outputs(*rank_.run);
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(whole.numel()));
  const auto wide = whole.to(at::kDouble).contiguous();
  const auto* const from = wide.const_data_ptr<double>();
  for (std::int64_t i = 0; i < wide.numel(); ++i) {
    values.push_back(
        static_cast<float>(lines[static_cast<std::size_t>(i) % lines.size()](from[i])));
  }
  return values;
}

Evaluation Evaluator::summarise() {
  const auto& run = *rank_.run;
  const int step_hours = static_cast<int>(
      std::chrono::duration_cast<std::chrono::hours>(run.index->info().step).count());
  const auto num_sets = static_cast<std::int64_t>(sums_->sets.size());
  auto all = at::cat({sums_->totals.reshape({-1}), sums_->counts});
  rank_.scores->all_reduce({all.mutable_data_ptr(), all.numel(), DType::kFloat64})->wait();
  const auto totals = all.narrow(0, 0, sums_->totals.numel()).view(sums_->totals.sizes());
  const auto counts = all.narrow(0, sums_->totals.numel(), num_sets);
  const auto num_cells = static_cast<double>(run.index->info().num_cells());

  Evaluation evaluation;
  for (std::int64_t s = 0; s < num_sets; ++s) {
    const double count = counts[s].item<double>();
    for (std::int64_t lead = 0; lead < totals.size(2); ++lead) {
      for (std::int64_t v = 0; v < totals.size(3); ++v) {
        const auto position = run.output_variables[static_cast<std::size_t>(v)];
        const auto& variable = run.index->info().variables[static_cast<std::size_t>(position)];
        const auto mean = [&](Quantity quantity) {
          return totals[s][quantity][lead][v].item<double>() / count;
        };
        evaluation.scores.push_back(
            {.variable = variable.name,
             .unit = variable.unit,
             .lead_hours = step_hours * static_cast<int>(lead + 1),
             .cells = sums_->sets[static_cast<std::size_t>(s)].name,
             .rmse = std::sqrt(mean(kForecast)),
             .persistence_rmse = std::sqrt(mean(kPersistence)),
             .spread = std::sqrt(mean(kVariance)),
             .crps = mean(kCrps),
             .num_samples = std::llround(counts[0].item<double>() / num_cells)});
      }
    }
  }
  if (last_) {
    evaluation.map = {.valid = last_->valid,
                      .lead_hours = step_hours,
                      .truth = physical_map(last_->truth),
                      .forecast = physical_map(last_->forecast)};
  }
  return evaluation;
}

void Evaluator::finish(dataflow::Context&) {
  done_(summarise());
}

}  // namespace askos::actors
