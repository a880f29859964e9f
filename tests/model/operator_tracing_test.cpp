// SPDX-License-Identifier: Apache-2.0
#include <askos/model/operator_tracing.hpp>
#include <askos/telemetry/ledger.hpp>
#include <askos/telemetry/trace_log.hpp>

#include <ATen/ATen.h>
#include <ATen/record_function.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace askos::model {
namespace {

using telemetry::TraceEvent;
using ::testing::Contains;
using ::testing::IsEmpty;

class OperatorTracing : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> names() const {
    const auto contents = log_.read();
    std::vector<std::string> names;
    for (const auto& event : contents.events) names.push_back(contents.operators.at(event.detail));
    return names;
  }
  /// The first event of that name.
  [[nodiscard]] TraceEvent find(const std::string& name) const {
    const auto contents = log_.read();
    const auto found = std::ranges::find_if(contents.events, [&](const TraceEvent& event) {
      return contents.operators.at(event.detail) == name;
    });
    EXPECT_NE(found, contents.events.end()) << name;
    return found == contents.events.end() ? TraceEvent{} : *found;
  }

  telemetry::TraceLog log_;
  telemetry::CurrentLedger current_{nullptr, &log_, 3};
  at::Tensor x_ = at::ones({4, 4});
};

TEST_F(OperatorTracing, IsOffUntilSomebodyAsksAndAfterwards) {
  (void)x_.mul(x_);
  EXPECT_FALSE(at::hasGlobalCallbacks());
  {
    const auto tracing = trace_operators();
    const auto another = trace_operators();
    (void)x_.mul(x_);
  }
  EXPECT_FALSE(at::hasGlobalCallbacks());
  const auto seen = names();
  EXPECT_EQ(std::ranges::count(seen, "aten::mul"), 1) << "as many as there were, whoever asks";
  (void)x_.mul(x_);
  EXPECT_EQ(names(), seen);
}

TEST_F(OperatorTracing, LaysOperatorsWithinThoseThatCallThem) {
  {
    const auto tracing = trace_operators();
    (void)at::linear(x_, x_);
  }
  const auto outer = find("aten::linear");
  const auto inner = find("aten::matmul");
  EXPECT_EQ(inner.track, 3);
  EXPECT_LE(outer.start_ns, inner.start_ns);
  EXPECT_GE(outer.end_ns(), inner.end_ns());
}

TEST_F(OperatorTracing, SeesTheBackwardPass) {
  const auto leaf = at::ones({4, 4}).requires_grad_(true);
  const auto loss = leaf.mul(leaf).sum();
  {
    const auto tracing = trace_operators();
    torch::autograd::backward({loss}, {});
  }
  EXPECT_THAT(names(), Contains("MulBackward0"));
}

TEST_F(OperatorTracing, LeavesThreadsAloneThatWorkForNoStage) {
  const auto tracing = trace_operators();
  std::thread([&] { (void)x_.mul(x_); }).join();
  EXPECT_THAT(names(), IsEmpty());
}

}  // namespace
}  // namespace askos::model
