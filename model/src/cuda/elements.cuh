// SPDX-License-Identifier: Apache-2.0
// Eight neighbouring elements of a row, the share of one lane.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

namespace askos::model::cuda {

inline constexpr int kLaneChannels = 8;

/// Eight elements as they are stored: registers of a load that is under way.
template <typename T>
struct Stored {
  uint4 words[sizeof(T) / 2];
};

__device__ inline float to_float(float x) {
  return x;
}
__device__ inline float to_float(__nv_bfloat16 x) {
  return __bfloat162float(x);
}
__device__ inline float to_float(__half x) {
  return __half2float(x);
}

template <typename T>
__device__ T from_float(float x);
template <>
__device__ inline float from_float<float>(float x) {
  return x;
}
template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}
template <>
__device__ inline __half from_float<__half>(float x) {
  return __float2half_rn(x);
}

/// exp(x) to the precision that results of type T can show.
template <typename T>
__device__ inline float exponential(float x) {
  if constexpr (sizeof(T) == 4) {
    return expf(x);
  } else {
    return __expf(x);
  }
}

/// Loads `count` (0 to 8) elements, zeros behind them. Aligned: all eight, in words of 16 bytes.
template <bool Aligned, typename T>
__device__ inline Stored<T> load(const T* from, int count) {
  Stored<T> stored;
  if constexpr (Aligned) {
#pragma unroll
    for (int w = 0; w < static_cast<int>(sizeof(T) / 2); ++w)
      stored.words[w] = __ldg(reinterpret_cast<const uint4*>(from) + w);
  } else {
#pragma unroll
    for (int w = 0; w < static_cast<int>(sizeof(T) / 2); ++w)
      stored.words[w] = make_uint4(0, 0, 0, 0);
    T* elements = reinterpret_cast<T*>(stored.words);
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c)
      if (c < count) elements[c] = from[c];
  }
  return stored;
}

__device__ inline void unpack(float (&x)[kLaneChannels], const Stored<float>& stored) {
#pragma unroll
  for (int w = 0; w < 2; ++w) {
    x[4 * w] = __uint_as_float(stored.words[w].x);
    x[4 * w + 1] = __uint_as_float(stored.words[w].y);
    x[4 * w + 2] = __uint_as_float(stored.words[w].z);
    x[4 * w + 3] = __uint_as_float(stored.words[w].w);
  }
}

// A bfloat16 is a float32's upper half.
__device__ inline void unpack_pair(float* x, std::uint32_t word, __nv_bfloat16 /*tag*/) {
  x[0] = __uint_as_float(word << 16);
  x[1] = __uint_as_float(word & 0xffff0000U);
}
__device__ inline void unpack_pair(float* x, std::uint32_t word, __half /*tag*/) {
  const float2 pair = __half22float2(*reinterpret_cast<const __half2*>(&word));
  x[0] = pair.x;
  x[1] = pair.y;
}

template <typename T>
__device__ inline void unpack(float (&x)[kLaneChannels], const Stored<T>& stored) {
  unpack_pair(x, stored.words[0].x, T{});
  unpack_pair(x + 2, stored.words[0].y, T{});
  unpack_pair(x + 4, stored.words[0].z, T{});
  unpack_pair(x + 6, stored.words[0].w, T{});
}

/// Stores `count` elements, rounded to nearest.
template <bool Aligned, typename T>
__device__ inline void store(T* to, const float (&x)[kLaneChannels], int count) {
  if constexpr (Aligned) {
    if (count > 0) {
      Stored<T> stored;
      T* elements = reinterpret_cast<T*>(stored.words);
#pragma unroll
      for (int c = 0; c < kLaneChannels; ++c) elements[c] = from_float<T>(x[c]);
#pragma unroll
      for (int w = 0; w < static_cast<int>(sizeof(T) / 2); ++w)
        reinterpret_cast<uint4*>(to)[w] = stored.words[w];
    }
  } else {
#pragma unroll
    for (int c = 0; c < kLaneChannels; ++c)
      if (c < count) to[c] = from_float<T>(x[c]);
  }
}

}  // namespace askos::model::cuda
