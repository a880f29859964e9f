// SPDX-License-Identifier: Apache-2.0
// Every model case on every layout: 1 to 4 ranks, both strategies, 1, 2 and 5 chunks. Prints one
// line a run; takes minutes, so it has the label `slow`.
#include "layouts.hpp"

#include "parity/cases.hpp"

#include <cstdio>
#include <filesystem>

namespace askos::model::test {
namespace {

namespace fs = std::filesystem;

/// Float64 on another layout against one rank, and against the float64 that the reference stored.
constexpr double kExact = 1e-10;

std::vector<std::string> model_cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(ASKOS_PARITY_FOLDER)) {
    if (exists(entry.path() / "model.json")) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// The fewest segments that are no fewer than `chunks`, or as many as there are layers.
int segments_for(int chunks, int num_layers) {
  int segments = std::min(chunks, num_layers);
  while (num_layers % segments != 0) ++segments;
  return segments;
}

double relative(const at::Tensor& ours, const at::Tensor& expected) {
  return difference(ours, expected) / std::max(max_abs(expected), 1e-300);
}

class AllLayouts : public ::testing::TestWithParam<std::string> {};

TEST_P(AllLayouts, GiveTheReferenceNumbers) {
  const auto model = apps::read_model_case(fs::path(ASKOS_PARITY_FOLDER) / GetParam());
  const Problem problem = apps::make_problem(model);
  const Result one = run(problem, {}, true);
  for (const auto strategy : {ShardStrategy::kEdges, ShardStrategy::kHeads}) {
    for (const int num_ranks : {1, 2, 3, 4}) {
      for (const int chunks : {1, 2, 5}) {
        const int segments = segments_for(chunks, model.config.num_layers);
        SCOPED_TRACE(::testing::Message() << num_ranks << " ranks, " << chunks << " chunks");
        const apps::ParityOptions options = {.ranks = {.num_ranks = num_ranks},
                                             .chunks = chunks,
                                             .segments = segments,
                                             .strategy = strategy};
        double worst = 0;  // share of the tolerance that is used up
        for (const auto& row : apps::run_model_case(model, options)) {
          EXPECT_TRUE(row.passes()) << row.quantity;
          worst = std::max(worst, row.max_abs / row.tolerance);
        }
        const Result result = run(
            problem,
            {.num_ranks = num_ranks, .chunks = chunks, .segments = segments, .strategy = strategy},
            true);
        double stored = 0;
        double loss = 0;
        for (const auto& row : apps::compare_with_case(model, result, DType::kFloat64)) {
          if (row.quantity.ends_with("y_fp64")) stored = std::max(stored, row.relative);
          if (row.quantity == "loss_fp64") loss = row.relative;
        }
        const double y = relative(result.y, one.y);
        double gradients = relative(result.grad_x, one.grad_x);
        double largest = 0;
        for (const auto& [name, gradient] : one.grad_parameters) {
          largest = std::max(largest, max_abs(gradient));
        }
        for (const auto& [name, gradient] : one.grad_parameters) {
          // A gradient that vanishes analytically is compared with the largest entry of all.
          const double scale = std::max(max_abs(gradient), 1e-3 * largest);
          gradients =
              std::max(gradients, difference(result.grad_parameters.at(name), gradient) / scale);
        }
        std::printf(
            "%-18s %d ranks %s %d chunks %d segments: float32 %3.0f %% of tolerance; float64 "
            "y %.0e (stored %.0e), loss %.0e, gradients %.0e\n",
            GetParam().c_str(), num_ranks, strategy == ShardStrategy::kHeads ? "heads" : "edges",
            chunks, segments, 100 * worst, y, stored, loss, gradients);
        for (const double error : {y, stored, loss, gradients}) EXPECT_LE(error, kExact);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases,
                         AllLayouts,
                         ::testing::ValuesIn(model_cases()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace askos::model::test
