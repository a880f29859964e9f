// SPDX-License-Identifier: Apache-2.0
// Attention problems, their plain solution in float64 on the host, and a run on the device.
#pragma once

#include "cuda/attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace askos::model::cuda {

inline void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

/// Device memory, filled with bytes that make a NaN of every float, so that what is not written
/// shows.
class DeviceBytes {
 public:
  explicit DeviceBytes(std::size_t size) : size_(size) {
    check(cudaMalloc(&data_, size + 1));
    check(cudaMemset(data_, 0xff, size));
  }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;
  ~DeviceBytes() { cudaFree(data_); }

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::size_t size_;
  void* data_ = nullptr;
};

template <typename T>
class DeviceVector {
 public:
  explicit DeviceVector(const std::vector<T>& values) : bytes_(values.size() * sizeof(T)) {
    check(cudaMemcpy(bytes_.data(), values.data(), bytes_.size(), cudaMemcpyHostToDevice));
  }
  explicit DeviceVector(std::size_t size) : bytes_(size * sizeof(T)) {}

  [[nodiscard]] T* data() const { return static_cast<T*>(bytes_.data()); }
  [[nodiscard]] std::vector<T> host() const {
    std::vector<T> values(bytes_.size() / sizeof(T));
    check(cudaMemcpy(values.data(), bytes_.data(), bytes_.size(), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  DeviceBytes bytes_;
};

/// Edges sorted by destination, and the same by source.
struct HostEdges {
  int num_sources = 0;
  int num_destinations = 0;
  std::vector<int> sources;
  std::vector<int> destinations;

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(sources.size()); }
};

struct Problem {
  AttentionShape shape;
  HostEdges edges;
  std::vector<double> query, key, value;  // [batch, node, head * channel], as stored
  std::vector<double> features, weight, bias;
  std::vector<double> grad_out;
  bool joined = false;  // queries, keys and values side by side in rows, their gradients likewise
  bool adds_grad_out = false;   // to the result
  std::int64_t row_stride = 0;  // elements from row to row; 0: rows are close

  [[nodiscard]] int channels() const { return shape.num_heads * shape.head_size; }
};

struct Solution {
  std::vector<double> out, query, key, value, features, weight, bias;
  std::vector<double> logit_gradients;  // [edge, head] of the last member
};

/// Rounds to what the device stores.
inline double as_stored(double x, Element element) {
  if (element == Element::kFloat32) return static_cast<float>(x);
  const int kept = element == Element::kBfloat16 ? 8 : 11;
  int exponent = 0;
  const double fraction = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, kept)), exponent - kept);
}

inline int element_size(Element element) {
  return element == Element::kFloat32 ? 4 : 2;
}

inline void encode(void* to, double x, Element element) {
  if (element == Element::kFloat32) {
    const auto value = static_cast<float>(x);
    std::memcpy(to, &value, 4);
    return;
  }
  std::uint16_t bits = 0;
  if (element == Element::kBfloat16) {
    const auto value = static_cast<float>(x);
    std::uint32_t word = 0;
    std::memcpy(&word, &value, 4);
    bits = static_cast<std::uint16_t>(word >> 16);
  } else {
    const auto half = static_cast<_Float16>(x);
    std::memcpy(&bits, &half, 2);
  }
  std::memcpy(to, &bits, 2);
}

inline double decode(const void* from, Element element) {
  if (element == Element::kFloat32) {
    float value = 0;
    std::memcpy(&value, from, 4);
    return value;
  }
  std::uint16_t bits = 0;
  std::memcpy(&bits, from, 2);
  if (element == Element::kBfloat16) {
    const std::uint32_t word = static_cast<std::uint32_t>(bits) << 16;
    float value = 0;
    std::memcpy(&value, &word, 4);
    return value;
  }
  _Float16 half = 0;
  std::memcpy(&half, &bits, 2);
  return static_cast<double>(half);
}

/// `degrees[i]` edges into destination i from random sources, duplicates among them.
inline HostEdges random_edges(int num_sources,
                              const std::vector<int>& degrees,
                              std::mt19937& random) {
  HostEdges edges{num_sources, static_cast<int>(degrees.size()), {}, {}};
  std::uniform_int_distribution<int> source(0, std::max(num_sources - 1, 0));
  for (int i = 0; i < edges.num_destinations; ++i)
    for (int e = 0; e < degrees[i]; ++e) {
      edges.sources.push_back(e % 5 == 4 ? edges.sources.back() : source(random));
      edges.destinations.push_back(i);
    }
  return edges;
}

inline Problem random_problem(AttentionShape shape, HostEdges edges, std::mt19937& random) {
  std::normal_distribution<double> normal;
  Problem p;
  p.shape = shape;
  p.edges = std::move(edges);
  const auto fill = [&](std::vector<double>& x, std::int64_t rows, std::int64_t width, Element as,
                        double scale) {
    x.resize(static_cast<std::size_t>(rows * width));
    for (double& value : x) value = as_stored(scale * normal(random), as);
  };
  const std::int64_t members = shape.num_batches;
  fill(p.query, members * p.edges.num_destinations, p.channels(), shape.element, 1);
  fill(p.key, members * p.edges.num_sources, p.channels(), shape.element, 1);
  fill(p.value, members * p.edges.num_sources, p.channels(), shape.element, 1);
  fill(p.grad_out, members * p.edges.num_destinations, p.channels(), shape.element, 1);
  fill(p.features, p.edges.size(), shape.num_features, Element::kFloat32, 1);
  fill(p.weight, p.channels(), shape.num_features, Element::kFloat32, 0.3);
  fill(p.bias, p.channels(), 1, Element::kFloat32, 1);
  return p;
}

/// Plain float64: forms the projected features of every edge.
Solution solve(const Problem& problem);

/// Forward and backward on the device.
Solution run_on_device(const Problem& problem);

/// |a - b| / |b|, Frobenius norms. Where b is zero but for rounding: the root of the mean square of
/// a.
inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return INFINITY;
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  const auto size = static_cast<double>(std::max<std::size_t>(a.size(), 1));
  return std::sqrt(norm < 1e-16 * size ? difference / size : difference / norm);
}

}  // namespace askos::model::cuda
