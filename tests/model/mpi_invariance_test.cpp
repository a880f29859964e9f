// SPDX-License-Identifier: Apache-2.0
// Ranks in processes: run under mpirun as a whole, one process is one rank of all its tests. What
// each rank computes must be, bit for bit, what the same rank computes as a thread; that threads
// agree with one rank is what the other tests show.
#include "parity/cases.hpp"
#include "parity/sharded_run.hpp"

#include <askos/comm/processes.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace askos::apps {
namespace {

/// Joined once; left when all tests of all processes are over.
comm::Processes& processes() {
  static comm::Processes joined;
  return joined;
}

class MpiInvariance : public ::testing::TestWithParam<const char*> {};

TEST_P(MpiInvariance, EachRankComputesWhatItDoesAsAThread) {
  at::set_num_threads(1);
  const auto model = read_model_case(std::filesystem::path(ASKOS_PARITY_FOLDER) / GetParam());
  const Problem problem = make_problem(model);
  const auto all = processes().make_communicator({.name = GetParam()});
  for (const auto strategy : {model::ShardStrategy::kEdges, model::ShardStrategy::kHeads}) {
    for (const bool float64 : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "rank " << all->rank() << ", float64 " << float64);
      const Layout layout{.num_ranks = all->size(), .chunks = 2, .strategy = strategy};
      const Result threads = run(problem, layout, float64);
      const RankResult own = run_rank(problem, layout, float64, *all);
      const auto range = own.own[0];
      EXPECT_TRUE(at::equal(own.y[0], threads.y.narrow(2, range.begin, range.size())));
      EXPECT_TRUE(at::equal(own.grad_x[0], threads.grad_x.narrow(2, range.begin, range.size())));
      EXPECT_EQ(own.loss, threads.loss);
      for (const auto& [name, part] : own.grad_parameters) {
        auto total = part.clone().contiguous();
        const auto dtype = float64 ? DType::kFloat64 : DType::kFloat32;
        all->all_reduce({total.mutable_data_ptr(), total.numel(), dtype})->wait();
        EXPECT_TRUE(at::equal(total, threads.grad_parameters.at(name))) << name;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases,
                         MpiInvariance,
                         ::testing::Values("base", "limited_area", "ensemble", "two_datasets"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace askos::apps
