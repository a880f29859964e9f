// SPDX-License-Identifier: Apache-2.0
// Errors of one prediction or one ensemble against the truth, with their slopes. `y` points to the
// first member, `stride` apart from the next.
#pragma once

#include <cmath>
#include <cstdint>

namespace askos::model {

template <typename T>
T sign(T x) {
  return static_cast<T>((x > 0) - (x < 0));
}

/// Makes an error of one member out of a function of the difference, `d = y - x`.
template <typename T, typename OfDifference>
struct OneMember {
  OfDifference of;

  [[nodiscard]] T value(const T* y, std::int64_t /*stride*/, T x) const { return of.value(*y - x); }
  void slopes(const T* y, std::int64_t /*stride*/, T x, T scale, T* slope) const {
    *slope = scale * of.slope(*y - x);
  }
};

template <typename T>
struct Squared {
  [[nodiscard]] T value(T d) const { return d * d; }
  [[nodiscard]] T slope(T d) const { return 2 * d; }
};

template <typename T>
struct Absolute {
  [[nodiscard]] T value(T d) const { return std::abs(d); }
  [[nodiscard]] T slope(T d) const { return sign(d); }
};

/// ln cosh d, written so that it does not overflow.
template <typename T>
struct LogCosh {
  [[nodiscard]] T value(T d) const {
    const T size = std::abs(d);
    return size + std::log1p(std::exp(-2 * size)) - static_cast<T>(0.693147180559945309417);
  }
  [[nodiscard]] T slope(T d) const { return std::tanh(d); }
};

/// d^2 / 2 if |d| < delta, else delta (|d| - delta / 2).
template <typename T>
struct Huber {
  T delta;
  [[nodiscard]] T value(T d) const {
    const T size = std::abs(d);
    return size < delta ? d * d / 2 : delta * (size - delta / 2);
  }
  [[nodiscard]] T slope(T d) const { return std::abs(d) < delta ? d : delta * sign(d); }
};

/// Almost fair kernel CRPS of M members (Lang et al. 2024, arXiv:2412.15832, equation 4):
///
///   1 / (2 M (M - 1)) sum over i != j of |y_i - x| + |y_j - x| - (1 - e) |y_i - y_j|
///
/// with e = (1 - alpha) / M: alpha 1 is the fair CRPS, alpha 0 that of the empirical distribution.
/// Every term is positive, which float32 needs.
template <typename T>
struct Crps {
  std::int64_t members;
  T alpha;

  [[nodiscard]] T value(const T* y, std::int64_t stride, T x) const {
    const T keep = 1 - (1 - alpha) / static_cast<T>(members);
    T sum = 0;
    for (std::int64_t i = 0; i < members; ++i) {
      const T y_i = y[i * stride];
      for (std::int64_t j = 0; j < i; ++j) {
        const T y_j = y[j * stride];
        sum += std::abs(y_i - x) + std::abs(y_j - x) - keep * std::abs(y_i - y_j);
      }
    }
    return sum / static_cast<T>(members * (members - 1));
  }

  void slopes(const T* y, std::int64_t stride, T x, T scale, T* slope) const {
    const T of_pairs = (1 - (1 - alpha) / static_cast<T>(members)) / static_cast<T>(members - 1);
    for (std::int64_t i = 0; i < members; ++i) {
      T pairs = 0;
      for (std::int64_t j = 0; j < members; ++j) pairs += sign(y[i * stride] - y[j * stride]);
      slope[i * stride] =
          scale * (sign(y[i * stride] - x) - of_pairs * pairs) / static_cast<T>(members);
    }
  }
};

}  // namespace askos::model
