// SPDX-License-Identifier: Apache-2.0
// Layers in 16 bits on a GPU against LibTorch's in float64 on the processor.
#include "layers_on_device.hpp"

#include <askos/model/autocast.hpp>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <vector>

namespace askos::model {
namespace {

constexpr double kSums = 3e-5;  // off sums in float32 over up to 70 001 rows

using Layer = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

double relative_error(const at::Tensor& x, const at::Tensor& exact) {
  return ((x.cpu().to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

class DeviceLayers : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "no CUDA device can be used here";
    at::manual_seed(5);
  }
  /// Random numbers that the type holds.
  static at::Tensor numbers(at::IntArrayRef sizes) {
    return at::randn(sizes).to(GetParam()).to(at::kDouble);
  }
  /// `inputs`, the first of them in 16 bits, then the gradients that `grad_out` gives them.
  static std::vector<at::Tensor> run(const Layer& layer,
                                     const std::vector<at::Tensor>& inputs,
                                     const at::Tensor& grad_out,
                                     bool on_device) {
    std::vector<at::Tensor> own;
    for (const at::Tensor& input : inputs) {
      const auto type = own.empty() ? GetParam() : at::kFloat;
      const at::Tensor rounded = input.to(type);
      own.push_back(
          (on_device ? rounded.to(at::kCUDA) : rounded.to(at::kDouble)).set_requires_grad(true));
    }
    const Autocast autocast(!on_device                ? Precision::kModel
                            : GetParam() == at::kHalf ? Precision::kFloat16
                                                      : Precision::kBFloat16,
                            at::kCUDA);
    const at::Tensor out = layer(own);
    torch::autograd::backward({out}, {grad_out.to(out.options())});
    std::vector<at::Tensor> results = {out.detach()};
    for (const at::Tensor& input : own) results.push_back(input.grad());
    return results;
  }
  /// Results of 16 bits may be off by their rounding; sums over rows are float32.
  static void expect_close(const std::vector<at::Tensor>& found,
                           const std::vector<at::Tensor>& exact,
                           double of_sums) {
    const double rounding = GetParam() == at::kHalf ? 1e-3 : 8e-3;
    ASSERT_EQ(found.size(), exact.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].scalar_type(), i < 2 ? GetParam() : at::kFloat) << i;
      EXPECT_LE(relative_error(found[i], exact[i]), i < 2 ? rounding : of_sums) << "result " << i;
    }
  }
  /// Compares, and repeats on the device bit by bit.
  static void check(const Layer& on_device,
                    const Layer& plain,
                    const std::vector<at::Tensor>& inputs,
                    double of_sums) {
    auto sizes = inputs[0].sizes().vec();
    sizes.back() = inputs[1].size(0);
    const at::Tensor grad_out = numbers(sizes);
    const auto found = run(on_device, inputs, grad_out, true);
    expect_close(found, run(plain, inputs, grad_out, false), of_sums);
    const auto again = run(on_device, inputs, grad_out, true);
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(at::equal(found[i], again[i])) << i;
  }
};

TEST_P(DeviceLayers, Linear_is_that_of_float64_with_sums_in_float32) {
  for (const std::int64_t rows : {1, 7, 1000, 70'001}) {
    for (const auto& [in, out] : {std::pair{24, 256}, {256, 1000}, {100, 8}, {40, 13}}) {
      SCOPED_TRACE(::testing::Message() << rows << " rows, " << in << " to " << out);
      check([](const auto& x) { return linear_on_device(x[0], x[1], x[2]); },
            [](const auto& x) { return at::linear(x[0], x[1], x[2]); },
            {numbers({1, rows, in}), numbers({out, in}), numbers({out})}, kSums);
    }
  }
}

TEST_P(DeviceLayers, Norm_is_that_of_float64_with_parameters_in_float32) {
  for (const std::int64_t rows : {1, 7, 1000, 70'001}) {
    for (const std::int64_t channels : {256, 512, 768, 1024}) {
      SCOPED_TRACE(::testing::Message() << rows << " rows of " << channels);
      check([](const auto& x) { return layer_norm_on_device(x[0], x[1], x[2]); },
            [&](const auto& x) { return at::layer_norm(x[0], {channels}, x[1], x[2], 1e-5); },
            {3 * numbers({1, rows, channels}) + 1, numbers({channels}), numbers({channels})},
            kSums);
    }
  }
}

TEST_P(DeviceLayers, Norm_takes_other_widths_and_no_shift) {
  for (const std::int64_t channels : {24, 256, 1280}) {
    SCOPED_TRACE(channels);
    check([](const auto& x) { return layer_norm_on_device(x[0], x[1], {}); },
          [&](const auto& x) { return at::layer_norm(x[0], {channels}, x[1], {}, 1e-5); },
          {numbers({2, 100, channels}), numbers({channels})}, 8e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Types,
                         DeviceLayers,
                         ::testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& test) {
                           return test.param == at::kHalf ? "float16" : "bfloat16";
                         });

}  // namespace
}  // namespace askos::model
