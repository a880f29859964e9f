// SPDX-License-Identifier: Apache-2.0
// Vectors of sums for the loops that are compiled once per instruction set. All names are local to
// the including file, and no function of the standard library is instantiated here: the linker must
// never take a function that was compiled for a better processor.
#pragma once

#include "attention_kernels.hpp"

#include <utility>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace askos::model {
namespace {

#define ASKOS_INLINE [[gnu::always_inline]] inline

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <typename A>
struct Lanes {
  static constexpr int kCount = kVectorBytes / static_cast<int>(sizeof(A));
  typedef A Vector __attribute__((vector_size(kVectorBytes)));
};
template <typename A>
using Vector = typename Lanes<A>::Vector;

typedef std::uint16_t Halves __attribute__((vector_size(kVectorBytes / 2)));
typedef std::uint32_t Words __attribute__((vector_size(kVectorBytes)));

ASKOS_INLINE Vector<float> widen(Halves bits) {
  return (Vector<float>)(__builtin_convertvector(bits, Words) << 16);
}

/// Rounds to nearest, ties to even; what is not a number stays so.
ASKOS_INLINE Halves narrow(Vector<float> x) {
  const Words bits = (Words)x;
  const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Words not_a_number = (Words)(x != x);
  return __builtin_convertvector((not_a_number & 0x7fc0) | (~not_a_number & rounded), Halves);
}

template <typename T>
ASKOS_INLINE Vector<Sum<T>> load(const T* from) {
  Vector<T> x;
  __builtin_memcpy(&x, from, sizeof x);
  return x;
}
ASKOS_INLINE Vector<float> load(const Bfloat16* from) {
  Halves bits;
  __builtin_memcpy(&bits, from, sizeof bits);
  return widen(bits);
}

template <typename T>
ASKOS_INLINE void store(T* to, Vector<Sum<T>> x) {
  __builtin_memcpy(to, &x, sizeof x);
}
ASKOS_INLINE void store(Bfloat16* to, Vector<float> x) {
  const Halves bits = narrow(x);
  __builtin_memcpy(to, &bits, sizeof bits);
}

/// Loads the first `count` entries, zeros behind them.
template <typename T>
ASKOS_INLINE Vector<Sum<T>> load_part(const T* from, std::int64_t count) {
  T part[Lanes<Sum<T>>::kCount] = {};
  for (std::int64_t i = 0; i < count; ++i) part[i] = from[i];
  return load(part);
}
template <typename T>
ASKOS_INLINE void store_part(T* to, Vector<Sum<T>> x, std::int64_t count) {
  T part[Lanes<Sum<T>>::kCount];
  store(part, x);
  for (std::int64_t i = 0; i < count; ++i) to[i] = part[i];
}

#if defined(__AVX512F__)
ASKOS_INLINE Vector<float> load_part(const float* from, std::int64_t count) {
  return (Vector<float>)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), from);
}
ASKOS_INLINE void store_part(float* to, Vector<float> x, std::int64_t count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1), (__m512)x);
}
#endif

/// From lanes of `a` and `b` in units of `width` lanes, `units` of them at a time: the even (or
/// odd) units of `a`, then those of `b`.
template <int units, int width, int odd, typename V, int... lane>
ASKOS_INLINE V pick(V a, V b, std::integer_sequence<int, lane...>) {
  constexpr int count = sizeof...(lane);
  return __builtin_shufflevector(
      a, b,
      (lane / (units * width) * units * width +
       ((lane / width % units) % (units / 2) * 2 + odd) * width + lane % width +
       (lane / width % units < units / 2 ? 0 : count))...);
}

/// Sums of the lanes of the vectors part(first), ..., part(first + count - 1): lane i of the result
/// has that of vector i once `count` is the number of lanes.
template <typename A, int first, int count, typename Part>
ASKOS_INLINE Vector<A> lane_sums(const Part& part) {
  if constexpr (count == 1) {
    return part(first);
  } else {
    const Vector<A> a = lane_sums<A, first, count / 2>(part);
    const Vector<A> b = lane_sums<A, first + count / 2, count / 2>(part);
    constexpr int lanes = Lanes<A>::kCount;
    constexpr int quad = 16 / static_cast<int>(sizeof(A));
    constexpr bool inside = count <= quad;
    constexpr int units = inside ? quad : lanes / quad;
    constexpr int width = inside ? 1 : quad;
    using Order = std::make_integer_sequence<int, lanes>;
    return pick<units, width, 0>(a, b, Order{}) + pick<units, width, 1>(a, b, Order{});
  }
}

template <typename A>
ASKOS_INLINE Vector<A> larger(Vector<A> a, Vector<A> b) {
  return b > a ? b : a;
}

/// e^x for x <= 0, relative error below 2e-7; below -87 it is e^-87, which no sum notices.
ASKOS_INLINE Vector<float> exponential(Vector<float> x) {
  constexpr float kLowest = -87;
  constexpr float kShift = 12582912;  // 1.5 * 2^23: adding it rounds to a whole number
  const Vector<float> lowest = kLowest + Vector<float>{};
  x = x < lowest ? lowest : x;
  const Vector<float> shifted = x * 1.44269504F + kShift;
  const Vector<float> whole = shifted - kShift;
  const Vector<float> r = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;  // ln 2 in two parts
  Vector<float> y = r * (1 / 5040.F) + 1 / 720.F;
  y = y * r + 1 / 120.F;
  y = y * r + 1 / 24.F;
  y = y * r + 1 / 6.F;
  y = y * r + 0.5F;
  y = y * r + 1.F;
  y = y * r + 1.F;
  const Words power = ((Words)shifted << 23) + 0x3f800000U;
  return y * (Vector<float>)power;
}
ASKOS_INLINE Vector<double> exponential(Vector<double> x) {
  for (int i = 0; i < Lanes<double>::kCount; ++i) x[i] = __builtin_exp(x[i]);
  return x;
}

}  // namespace
}  // namespace askos::model
