// SPDX-License-Identifier: Apache-2.0
#include "parallel.hpp"

#include <askos/model/optimiser.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

namespace askos::model {
namespace {

constexpr std::int64_t kGrain = 1 << 14;

/// 1 at the start of the course, 0 at its end.
double half_cosine(double course) {
  return (1 + std::cos(std::numbers::pi * course)) / 2;
}

/// Adds up in several sums at once: one alone would wait for each addition.
template <typename T>
double sum_of_squares(const T* values, std::int64_t size) {
  constexpr std::int64_t kSums = 8;
  std::array<double, kSums> sums = {};
  std::int64_t i = 0;
  for (; i + kSums <= size; i += kSums) {
    for (std::int64_t s = 0; s < kSums; ++s) {
      const auto value = static_cast<double>(values[i + s]);
      sums[static_cast<std::size_t>(s)] += value * value;
    }
  }
  for (; i < size; ++i) sums[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

template <typename T>
double norm_of(std::span<const T> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  std::vector<double> sums(static_cast<std::size_t>((size + kGrain - 1) / kGrain));
  parallel_for(static_cast<std::int64_t>(sums.size()), 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (auto block = begin; block < end; ++block) {
                   const auto first = block * kGrain;
                   sums[static_cast<std::size_t>(block)] =
                       sum_of_squares(values.data() + first, std::min(kGrain, size - first));
                 }
               });
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

template <typename T, typename Change>
void change_all(std::span<T> values, const Change& change) {
  parallel_for(static_cast<std::int64_t>(values.size()), kGrain,
               [&](std::int64_t begin, std::int64_t end) {
                 for (auto i = begin; i < end; ++i) {
                   T& value = values[static_cast<std::size_t>(i)];
                   value = change(value);
                 }
               });
}

}  // namespace

double LearningRate::at(std::int64_t step) const {
  const auto t = static_cast<double>(step);
  const auto warmup = static_cast<double>(warmup_steps);
  const auto total = static_cast<double>(total_steps);
  if (kind == Kind::kConstant) return peak;
  if (kind == Kind::kCosineFromStart) {
    if (step < warmup_steps) return peak * t / warmup;
    if (step >= total_steps) return floor;
    return floor + (peak - floor) * half_cosine(t / total);
  }
  if (step < warmup_steps) return peak * (t + 1) / warmup;
  if (step >= total_steps) return floor;
  return floor + (peak - floor) * half_cosine((t - warmup) / (total - warmup));
}

template <typename T>
double prepare_gradient(std::span<T> gradient, double scale, const ClipOptions& clip) {
  const auto factor = static_cast<T>(scale);
  if (clip.value) {
    const auto bound = static_cast<T>(*clip.value);
    change_all(gradient, [=](T g) { return std::clamp(factor * g, -bound, bound); });
  } else if (factor != T(1)) {
    change_all(gradient, [=](T g) { return factor * g; });
  }
  const double norm = norm_of(std::span<const T>(gradient));
  // The term 1e-6 is torch.nn.utils.clip_grad_norm_'s.
  const double shrink = clip.norm ? *clip.norm / (norm + 1e-6) : 1;
  if (shrink < 1) change_all(gradient, [s = static_cast<T>(shrink)](T g) { return s * g; });
  return norm;
}

template <typename T>
void adamw(const AdamWOptions& options,
           double learning_rate,
           std::int64_t step,
           std::span<const T> gradient,
           std::span<T> parameters,
           std::span<T> first_moment,
           std::span<T> second_moment) {
  const auto beta1 = static_cast<T>(options.beta1);
  const auto beta2 = static_cast<T>(options.beta2);
  const auto epsilon = static_cast<T>(options.epsilon);
  const auto keep = static_cast<T>(1 - learning_rate * options.weight_decay);
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(step));
  const auto step_size = static_cast<T>(learning_rate / correction1);
  const auto root = static_cast<T>(1 / std::sqrt(correction2));
  parallel_for(static_cast<std::int64_t>(parameters.size()), kGrain,
               [&](std::int64_t begin, std::int64_t end) {
                 const T* g = gradient.data();
                 T* p = parameters.data();
                 T* m = first_moment.data();
                 T* v = second_moment.data();
                 for (auto i = begin; i < end; ++i) {
                   m[i] += (1 - beta1) * (g[i] - m[i]);
                   v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
                   p[i] = p[i] * keep - step_size * m[i] / (std::sqrt(v[i]) * root + epsilon);
                 }
               });
}

template double prepare_gradient(std::span<float>, double, const ClipOptions&);
template double prepare_gradient(std::span<double>, double, const ClipOptions&);
template void adamw(const AdamWOptions&,
                    double,
                    std::int64_t,
                    std::span<const float>,
                    std::span<float>,
                    std::span<float>,
                    std::span<float>);
template void adamw(const AdamWOptions&,
                    double,
                    std::int64_t,
                    std::span<const double>,
                    std::span<double>,
                    std::span<double>,
                    std::span<double>);

}  // namespace askos::model
