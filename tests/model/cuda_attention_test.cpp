// SPDX-License-Identifier: Apache-2.0
#include "cuda_attention_problem.hpp"

#include <algorithm>
#include <numeric>

namespace askos::model::cuda {

namespace {

constexpr Element kElements[] = {Element::kFloat32, Element::kBfloat16, Element::kFloat16};

class CudaAttention : public ::testing::Test {
 protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
      cudaGetLastError();
      GTEST_SKIP() << "no CUDA device";
    }
  }

  std::mt19937 random_{1};
};

/// Errors relative to float64: of what is stored as `element`, and of float32 results.
struct Tolerance {
  double out;
  double gradient;
  double sum;
};

Tolerance tolerance_of(Element element) {
  switch (element) {
    case Element::kFloat32: return {2e-6, 2e-6, 2e-6};
    case Element::kBfloat16: return {4e-3, 8e-3, 1e-4};
    case Element::kFloat16: return {5e-4, 1e-3, 1e-4};
  }
  return {};
}

void expect_close(const Solution& found, const Solution& expected, Element element) {
  const auto tolerance = tolerance_of(element);
  EXPECT_LE(distance(found.out, expected.out), tolerance.out);
  EXPECT_LE(distance(found.query, expected.query), tolerance.gradient);
  EXPECT_LE(distance(found.key, expected.key), tolerance.gradient);
  EXPECT_LE(distance(found.value, expected.value), tolerance.gradient);
  EXPECT_LE(distance(found.features, expected.features), tolerance.sum);
  EXPECT_LE(distance(found.weight, expected.weight), tolerance.sum);
  EXPECT_LE(distance(found.bias, expected.bias), tolerance.sum);
  EXPECT_LE(distance(found.logit_gradients, expected.logit_gradients), tolerance.sum);
}

std::vector<int> random_degrees(int count, int most, std::mt19937& random) {
  std::uniform_int_distribution<int> degree(0, most);
  std::vector<int> degrees(count);
  for (int& d : degrees) d = degree(random);
  return degrees;
}

TEST_F(CudaAttention, Is_that_of_plain_mathematics_for_all_head_sizes) {
  for (const Element element : kElements)
    for (const int head_size : {1, 7, 16, 20, 24, 32, 40, 48, 64, 80, 96, 112, 128})
      for (const int num_features : {0, 3, 11, 15, 16, 31}) {
        SCOPED_TRACE(testing::Message() << "element " << static_cast<int>(element) << ", head size "
                                        << head_size << ", features " << num_features);
        auto degrees = random_degrees(37, 12, random_);
        degrees[3] = 0;
        degrees[36] = 0;
        auto problem = random_problem({element, 1, 5, head_size, num_features},
                                      random_edges(29, degrees, random_), random_);
        problem.adds_grad_out = num_features % 2 == 1;
        expect_close(run_on_device(problem), solve(problem), element);
      }
}

TEST_F(CudaAttention, Takes_graphs_of_any_shape) {
  for (int round = 0; round < 120; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    const auto any = [&](int least, int most) {
      return std::uniform_int_distribution<int>(least, most)(random_);
    };
    const Element element = kElements[round % 3];
    const int sources = any(1, 60);
    const auto degrees = random_degrees(any(0, 50), any(0, 20), random_);
    auto problem = random_problem({element, any(1, 3), any(1, 17), any(1, 128), any(0, 31)},
                                  random_edges(sources, degrees, random_), random_);
    problem.joined = round % 2 == 1;
    expect_close(run_on_device(problem), solve(problem), element);
  }
}

TEST_F(CudaAttention, Sums_the_gradients_of_shared_edges_over_the_batch) {
  for (const Element element : kElements) {
    const auto problem =
        random_problem({element, 4, 16, 64, 11},
                       random_edges(30, random_degrees(40, 9, random_), random_), random_);
    expect_close(run_on_device(problem), solve(problem), element);
  }
}

TEST_F(CudaAttention, Takes_destinations_and_sources_with_very_many_edges) {
  for (const Element element : kElements)
    for (const int head_size : {16, 64}) {
      std::vector<int> degrees(40, 2);
      degrees[17] = 50'000;
      const auto many_in = random_problem({element, 1, 4, head_size, 3},
                                          random_edges(300, degrees, random_), random_);
      expect_close(run_on_device(many_in), solve(many_in), element);
      const auto many_out =
          random_problem({element, 1, 4, head_size, 3},
                         random_edges(2, std::vector<int>(5'000, 4), random_), random_);
      expect_close(run_on_device(many_out), solve(many_out), element);
    }
}

TEST_F(CudaAttention, Repeats_bit_by_bit) {
  for (const Element element : kElements) {
    const auto problem =
        random_problem({element, 2, 16, 64, 11},
                       random_edges(500, random_degrees(900, 30, random_), random_), random_);
    const auto first = run_on_device(problem);
    for (int round = 0; round < 3; ++round) {
      const auto again = run_on_device(problem);
      EXPECT_EQ(again.out, first.out);
      EXPECT_EQ(again.query, first.query);
      EXPECT_EQ(again.key, first.key);
      EXPECT_EQ(again.value, first.value);
      EXPECT_EQ(again.features, first.features);
      EXPECT_EQ(again.weight, first.weight);
      EXPECT_EQ(again.bias, first.bias);
    }
  }
}

/// The gradients of the logits of a destination's edges sum to zero.
TEST_F(CudaAttention, Lets_the_gradients_of_logits_sum_to_zero) {
  for (const Element element : kElements) {
    auto problem =
        random_problem({element, 1, 8, 64, 11},
                       random_edges(50, random_degrees(60, 25, random_), random_), random_);
    for (double& g : problem.grad_out) g = as_stored(30 * g + 30, element);
    const auto found = run_on_device(problem);
    std::vector<double> sums(static_cast<std::size_t>(60) * 8);
    double most = 0;
    for (std::int64_t e = 0; e < problem.edges.size(); ++e)
      for (int head = 0; head < 8; ++head) {
        const double ds = found.logit_gradients[e * 8 + head];
        sums[problem.edges.destinations[e] * 8 + head] += ds;
        most = std::max(most, std::abs(ds));
      }
    for (const double sum : sums) EXPECT_LE(std::abs(sum), 2e-6 * most);
  }
}

/// Where all edges bring the same message, no choice between them has an effect.
TEST_F(CudaAttention, Gives_no_gradient_to_queries_and_keys_of_equal_messages) {
  for (const Element element : kElements) {
    auto problem =
        random_problem({element, 1, 4, 64, 11},
                       random_edges(50, random_degrees(60, 25, random_), random_), random_);
    const int width = problem.channels();
    for (std::size_t x = 0; x < problem.value.size(); ++x)
      problem.value[x] = as_stored(30 * std::cos(static_cast<double>(x % width)), element);
    std::fill(problem.weight.begin(), problem.weight.end(), 0.0);
    const auto found = run_on_device(problem);
    for (const double x : found.query) EXPECT_LE(std::abs(x), 1e-3);
    for (const double x : found.key) EXPECT_LE(std::abs(x), 1e-3);
  }
}

TEST_F(CudaAttention, Does_not_depend_on_the_order_of_nodes) {
  const auto problem =
      random_problem({Element::kFloat32, 1, 4, 32, 11},
                     random_edges(70, random_degrees(80, 9, random_), random_), random_);
  std::vector<int> number(80);  // of each destination, in the other order
  std::iota(number.begin(), number.end(), 0);
  std::shuffle(number.begin(), number.end(), random_);
  std::vector<int> order(problem.edges.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return number[problem.edges.destinations[a]] < number[problem.edges.destinations[b]];
  });
  Problem other = problem;
  const int width = problem.channels();
  for (std::size_t e = 0; e < order.size(); ++e) {
    other.edges.sources[e] = problem.edges.sources[order[e]];
    other.edges.destinations[e] = number[problem.edges.destinations[order[e]]];
    std::copy_n(problem.features.begin() + 11 * order[e], 11, other.features.begin() + 11 * e);
  }
  const auto renumber = [&](const std::vector<double>& rows) {
    std::vector<double> result(rows.size());
    for (int i = 0; i < 80; ++i)
      std::copy_n(rows.begin() + i * width, width, result.begin() + number[i] * width);
    return result;
  };
  other.query = renumber(problem.query);
  other.grad_out = renumber(problem.grad_out);
  const auto expected = run_on_device(problem);
  const auto found = run_on_device(other);
  EXPECT_EQ(found.out, renumber(expected.out));
  EXPECT_EQ(found.query, renumber(expected.query));
  EXPECT_LE(distance(found.key, expected.key), 1e-6);
  EXPECT_LE(distance(found.value, expected.value), 1e-6);
  EXPECT_LE(distance(found.weight, expected.weight), 1e-6);
}

/// Rows so far apart that numbers of elements need more than 32 bits.
TEST_F(CudaAttention, Reaches_rows_behind_the_two_thousand_millionth_element) {
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total));
  constexpr std::int64_t kStride = 40'000'000;  // times 64 rows: 2 560 000 000 elements
  constexpr std::int64_t kBytes = 64 * kStride * 2;
  if (free < 2 * static_cast<std::size_t>(kBytes) + (std::size_t{1} << 30))
    GTEST_SKIP() << "needs 11 GiB of device memory";
  auto problem = random_problem({Element::kBfloat16, 1, 4, 64, 11},
                                random_edges(64, std::vector<int>(64, 7), random_), random_);
  const auto expected = solve(problem);
  problem.row_stride = kStride;
  expect_close(run_on_device(problem), expected, Element::kBfloat16);
}

TEST_F(CudaAttention, Leaves_other_shapes_to_others) {
  EXPECT_TRUE(takes({Element::kFloat32, 1, 16, 128, 31}));
  for (const AttentionShape& shape : {AttentionShape{Element::kFloat32, 1, 16, 129, 11},
                                      AttentionShape{Element::kFloat32, 1, 16, 64, 32},
                                      AttentionShape{Element::kFloat32, 1, 0, 64, 11}}) {
    EXPECT_FALSE(takes(shape));
    EXPECT_EQ(attention_forward(shape, {}, {}, nullptr), cudaErrorInvalidValue);
    EXPECT_EQ(attention_backward(shape, {}, {}, nullptr), cudaErrorInvalidValue);
  }
}

}  // namespace

}  // namespace askos::model::cuda
