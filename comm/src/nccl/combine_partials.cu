// SPDX-License-Identifier: Apache-2.0
// One pass: each thread reads its entries of all partials, 16 bytes at a time where they are
// aligned, adds in registers in rank order, and writes once.
#include "nccl/combine_partials.hpp"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <type_traits>

namespace askos::comm {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 1024;  // more entries than that many threads: they loop

/// The type in which entries of `T` are combined.
template <typename T>
struct Wide {
  using type = T;
  static __device__ T widen(T entry) { return entry; }
  static __device__ T narrow(T value) { return value; }
};
template <>
struct Wide<__half> {
  using type = float;
  static __device__ float widen(__half entry) { return __half2float(entry); }
  static __device__ __half narrow(float value) { return __float2half_rn(value); }
};
template <>
struct Wide<__nv_bfloat16> {
  using type = float;
  static __device__ float widen(__nv_bfloat16 entry) { return __bfloat162float(entry); }
  static __device__ __nv_bfloat16 narrow(float value) { return __float2bfloat16_rn(value); }
};

template <Combination kind, typename W>
__device__ W combine(W a, W b) {
  if constexpr (kind == Combination::kMax) {
    return a < b ? b : a;
  } else if constexpr (kind == Combination::kMin) {
    return b < a ? b : a;
  } else if constexpr (std::is_integral_v<W>) {
    using Unsigned = std::make_unsigned_t<W>;  // signed overflow would be undefined
    return static_cast<W>(static_cast<Unsigned>(a) + static_cast<Unsigned>(b));
  } else {
    return a + b;
  }
}

template <typename T, int kWidth>
struct alignas(sizeof(T) * kWidth) Pack {
  T entries[kWidth];
};

/// Combines `num_packs` runs of kWidth entries.
template <Combination kind, typename T, int kWidth>
__global__ void combine_packs(Partials<T> partials, T* to, std::int64_t num_packs) {
  using W = Wide<T>;
  using P = Pack<T, kWidth>;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < num_packs; i += step) {
    typename W::type sums[kWidth];
    for (int r = 0; r < partials.size; ++r) {
      const int place = r < partials.rank ? r : r - 1;
      const T* from = r == partials.rank ? partials.own : partials.others + place * partials.count;
      const P pack = reinterpret_cast<const P*>(from)[i];
      for (int k = 0; k < kWidth; ++k) {
        const auto entry = W::widen(pack.entries[k]);
        sums[k] = r == 0 ? entry : combine<kind>(sums[k], entry);
      }
    }
    P result;
    for (int k = 0; k < kWidth; ++k) {
      result.entries[k] = W::narrow(sums[k]);
    }
    reinterpret_cast<P*>(to)[i] = result;
  }
}

template <Combination kind, typename T, int kWidth>
cudaError_t launch(const Partials<T>& partials, T* to, cudaStream_t stream) {
  const std::int64_t num_packs = partials.count / kWidth;
  const auto blocks = std::min((num_packs + kThreads - 1) / kThreads, kMostBlocks);
  combine_packs<kind, T, kWidth>
      <<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(partials, to, num_packs);
  return cudaGetLastError();
}

template <typename T>
bool fits(const T* pointer, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

template <Combination kind, typename T>
cudaError_t launch(const Partials<T>& partials, T* to, cudaStream_t stream) {
  constexpr std::size_t kPackBytes = 16;
  constexpr int kWidth = kPackBytes / sizeof(T);
  const bool packs = partials.count % kWidth == 0 && fits(to, kPackBytes) &&
                     fits(partials.own, kPackBytes) && fits(partials.others, kPackBytes);
  return packs ? launch<kind, T, kWidth>(partials, to, stream)
               : launch<kind, T, 1>(partials, to, stream);
}

}  // namespace

template <typename T>
cudaError_t combine_partials(Combination combination,
                             const Partials<T>& partials,
                             T* to,
                             cudaStream_t stream) {
  if (partials.count == 0) {
    return cudaSuccess;
  }
  switch (combination) {
    case Combination::kSum: return launch<Combination::kSum>(partials, to, stream);
    case Combination::kMax: return launch<Combination::kMax>(partials, to, stream);
    case Combination::kMin: return launch<Combination::kMin>(partials, to, stream);
  }
  return cudaErrorInvalidValue;
}

template cudaError_t combine_partials(Combination, const Partials<float>&, float*, cudaStream_t);
template cudaError_t combine_partials(Combination, const Partials<double>&, double*, cudaStream_t);
template cudaError_t combine_partials(Combination, const Partials<__half>&, __half*, cudaStream_t);
template cudaError_t combine_partials(Combination,
                                      const Partials<__nv_bfloat16>&,
                                      __nv_bfloat16*,
                                      cudaStream_t);
template cudaError_t combine_partials(Combination,
                                      const Partials<std::int32_t>&,
                                      std::int32_t*,
                                      cudaStream_t);
template cudaError_t combine_partials(Combination,
                                      const Partials<std::int64_t>&,
                                      std::int64_t*,
                                      cudaStream_t);
template cudaError_t combine_partials(Combination,
                                      const Partials<std::uint8_t>&,
                                      std::uint8_t*,
                                      cudaStream_t);

}  // namespace askos::comm
