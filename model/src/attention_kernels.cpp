// SPDX-License-Identifier: Apache-2.0
#include "attention_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace askos::model {
namespace {

template <typename T>
T dot(const T* x, const T* y, std::int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

template <typename T>
void add_scaled(T* y, T scale, const T* x, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] += scale * x[i];
}

/// Turns scores [edge, head] into softmax weights in place, over the edges for each head.
template <typename T>
void softmax(T* scores, std::int64_t num_edges, std::int64_t heads) {
  for (std::int64_t h = 0; h < heads; ++h) {
    T largest = scores[h];
    for (std::int64_t e = 1; e < num_edges; ++e) largest = std::max(largest, scores[e * heads + h]);
    T sum = 0;
    for (std::int64_t e = 0; e < num_edges; ++e) {
      T& score = scores[e * heads + h];
      score = std::exp(score - largest);
      sum += score;
    }
    for (std::int64_t e = 0; e < num_edges; ++e) scores[e * heads + h] /= sum;
  }
}

}  // namespace

template <typename T>
void attend(const AttentionShape& shape,
            const AttentionForward<T>& data,
            std::int64_t begin,
            std::int64_t end) {
  const auto [heads, channels, features] = std::tuple{shape.heads, shape.channels, shape.features};
  const std::int64_t row = heads * channels;
  const std::int64_t feature_row = heads * features;
  const T scale = 1 / std::sqrt(static_cast<T>(channels));
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    const T* k = data.k + b * shape.num_sources * row;
    const T* v = data.v + b * shape.num_sources * row;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t at = b * shape.num_destinations + i;
      const T* q = data.q + at * row;
      const T* u = data.u + at * feature_row;
      T* out = data.out + at * row;
      T* mean = data.mean + at * feature_row;
      const std::int64_t first = shape.destination_offsets[i];
      const std::int64_t last = shape.destination_offsets[i + 1];
      T* weights = data.weights + (b * shape.num_edges + first) * heads;
      std::fill_n(out, row, T(0));
      std::fill_n(mean, feature_row, T(0));
      if (first == last) continue;
      for (std::int64_t e = first; e < last; ++e) {
        const T* key = k + shape.src[e] * row;
        const T* a = data.a + e * features;
        T* score = weights + (e - first) * heads;
        for (std::int64_t h = 0; h < heads; ++h) {
          score[h] = scale * dot(q + h * channels, key + h * channels, channels) +
                     dot(u + h * features, a, features);
        }
      }
      softmax(weights, last - first, heads);
      for (std::int64_t e = first; e < last; ++e) {
        const T* value = v + shape.src[e] * row;
        const T* a = data.a + e * features;
        const T* weight = weights + (e - first) * heads;
        for (std::int64_t h = 0; h < heads; ++h) {
          add_scaled(out + h * channels, weight[h], value + h * channels, channels);
          add_scaled(mean + h * features, weight[h], a, features);
        }
      }
    }
  }
}

template <typename T>
void attend_backward_destinations(const AttentionShape& shape,
                                  const AttentionBackward<T>& data,
                                  std::int64_t begin,
                                  std::int64_t end) {
  const auto [heads, channels, features] = std::tuple{shape.heads, shape.channels, shape.features};
  const std::int64_t row = heads * channels;
  const std::int64_t feature_row = heads * features;
  const T scale = 1 / std::sqrt(static_cast<T>(channels));
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t first = shape.destination_offsets[i];
    const std::int64_t last = shape.destination_offsets[i + 1];
    std::fill(data.d_a + first * features, data.d_a + last * features, T(0));
    for (std::int64_t b = 0; b < shape.batch; ++b) {
      const std::int64_t at = b * shape.num_destinations + i;
      const T* u = data.u + at * feature_row;
      const T* g_out = data.g_out + at * row;
      const T* g_mean = data.g_mean + at * feature_row;
      T* d_q = data.d_q + at * row;
      T* d_u = data.d_u + at * feature_row;
      const T* weights = data.weights + b * shape.num_edges * heads;
      T* d_scores = data.d_scores + b * shape.num_edges * heads;
      std::fill_n(d_q, row, T(0));
      std::fill_n(d_u, feature_row, T(0));
      for (std::int64_t e = first; e < last; ++e) {
        const T* value = data.v + (b * shape.num_sources + shape.src[e]) * row;
        for (std::int64_t h = 0; h < heads; ++h) {
          d_scores[e * heads + h] = dot(g_out + h * channels, value + h * channels, channels) +
                                    dot(g_mean + h * features, data.a + e * features, features);
        }
      }
      for (std::int64_t h = 0; h < heads; ++h) {
        T sum = 0;
        for (std::int64_t e = first; e < last; ++e) {
          sum += weights[e * heads + h] * d_scores[e * heads + h];
        }
        for (std::int64_t e = first; e < last; ++e) {
          d_scores[e * heads + h] = weights[e * heads + h] * (d_scores[e * heads + h] - sum);
        }
      }
      for (std::int64_t e = first; e < last; ++e) {
        const T* key = data.k + (b * shape.num_sources + shape.src[e]) * row;
        const T* a = data.a + e * features;
        T* d_a = data.d_a + e * features;
        for (std::int64_t h = 0; h < heads; ++h) {
          const T d_score = d_scores[e * heads + h];
          add_scaled(d_q + h * channels, scale * d_score, key + h * channels, channels);
          add_scaled(d_u + h * features, d_score, a, features);
          add_scaled(d_a, d_score, u + h * features, features);
          add_scaled(d_a, weights[e * heads + h], g_mean + h * features, features);
        }
      }
    }
  }
}

template <typename T>
void attend_backward_sources(const AttentionShape& shape,
                             const AttentionBackward<T>& data,
                             std::int64_t begin,
                             std::int64_t end) {
  const auto [heads, channels] = std::tuple{shape.heads, shape.channels};
  const std::int64_t row = heads * channels;
  const T scale = 1 / std::sqrt(static_cast<T>(channels));
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    const T* weights = data.weights + b * shape.num_edges * heads;
    const T* d_scores = data.d_scores + b * shape.num_edges * heads;
    for (std::int64_t j = begin; j < end; ++j) {
      T* d_k = data.d_k + (b * shape.num_sources + j) * row;
      T* d_v = data.d_v + (b * shape.num_sources + j) * row;
      std::fill_n(d_k, row, T(0));
      std::fill_n(d_v, row, T(0));
      for (std::int64_t n = shape.source_offsets[j]; n < shape.source_offsets[j + 1]; ++n) {
        const std::int64_t e = shape.source_edges[n];
        const std::int64_t at = (b * shape.num_destinations + shape.dst[e]) * row;
        for (std::int64_t h = 0; h < heads; ++h) {
          const std::int64_t part = h * channels;
          add_scaled(d_k + part, scale * d_scores[e * heads + h], data.q + at + part, channels);
          add_scaled(d_v + part, weights[e * heads + h], data.g_out + at + part, channels);
        }
      }
    }
  }
}

template void attend(const AttentionShape&,
                     const AttentionForward<float>&,
                     std::int64_t,
                     std::int64_t);
template void attend(const AttentionShape&,
                     const AttentionForward<double>&,
                     std::int64_t,
                     std::int64_t);
template void attend_backward_destinations(const AttentionShape&,
                                           const AttentionBackward<float>&,
                                           std::int64_t,
                                           std::int64_t);
template void attend_backward_destinations(const AttentionShape&,
                                           const AttentionBackward<double>&,
                                           std::int64_t,
                                           std::int64_t);
template void attend_backward_sources(const AttentionShape&,
                                      const AttentionBackward<float>&,
                                      std::int64_t,
                                      std::int64_t);
template void attend_backward_sources(const AttentionShape&,
                                      const AttentionBackward<double>&,
                                      std::int64_t,
                                      std::int64_t);

}  // namespace askos::model
