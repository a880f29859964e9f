// SPDX-License-Identifier: Apache-2.0
// A block adds up some rows of 256 columns, eight columns a lane, each warp every eighth row; the
// blocks' sums are then added in order.
#include "column_sums.hpp"
#include "elements.cuh"

#include <algorithm>

namespace askos::model::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kColumns = 32 * kLaneChannels;  // of a block
constexpr int kRowsAhead = 4;
constexpr std::int64_t kFewestRows = 64;  // of a block
constexpr std::int64_t kMostParts = 256;

int num_parts(std::int64_t num_rows) {
  return static_cast<int>(
      std::clamp((num_rows + kFewestRows - 1) / kFewestRows, std::int64_t{1}, kMostParts));
}

template <typename T>
__global__ void __launch_bounds__(32 * kWarps)
    sum_rows(const T* table, std::int64_t num_rows, std::int64_t num_columns, float* parts) {
  __shared__ float sums[kWarps][kColumns + 4];
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kColumns;
  const std::int64_t column = first + lane * kLaneChannels;
  const std::int64_t begin = num_rows * blockIdx.y / gridDim.y;
  const std::int64_t end = num_rows * (blockIdx.y + 1) / gridDim.y;
  float sum[kLaneChannels] = {};
  if (column < num_columns) {
    for (std::int64_t row = begin + warp; row < end; row += kWarps * kRowsAhead) {
      Stored<T> ahead[kRowsAhead];
#pragma unroll
      for (int r = 0; r < kRowsAhead; ++r)
        ahead[r] = load<true>(table + min(row + r * kWarps, end - 1) * num_columns + column,
                              kLaneChannels);
#pragma unroll
      for (int r = 0; r < kRowsAhead; ++r) {
        if (row + r * kWarps >= end) break;
        float x[kLaneChannels];
        unpack(x, ahead[r]);
#pragma unroll
        for (int c = 0; c < kLaneChannels; ++c) sum[c] += x[c];
      }
    }
  }
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) sums[warp][lane * kLaneChannels + c] = sum[c];
  __syncthreads();
  const int own = static_cast<int>(threadIdx.x);
  if (first + own >= num_columns) return;
  float total = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) total += sums[w][own];
  parts[blockIdx.y * num_columns + first + own] = total;
}

/// A warp for each of four quarters of the parts, a lane a column.
__global__ void __launch_bounds__(128)
    add_parts(const float* parts, int num_parts, std::int64_t num_columns, float* sums) {
  __shared__ float quarters[4][32];
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int quarter = static_cast<int>(threadIdx.x / 32);
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * 32 + lane;
  float sum = 0;
  if (column < num_columns) {
#pragma unroll 8
    for (int p = quarter; p < num_parts; p += 4) sum += __ldg(parts + p * num_columns + column);
  }
  quarters[quarter][lane] = sum;
  __syncthreads();
  if (quarter != 0 || column >= num_columns) return;
  for (int q = 1; q < 4; ++q) sum += quarters[q][lane];
  sums[column] = sum;
}

template <typename T>
void start_sums(const void* table,
                std::int64_t num_rows,
                std::int64_t num_columns,
                float* parts,
                cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>((num_columns + kColumns - 1) / kColumns),
                  static_cast<unsigned>(num_parts(num_rows)));
  sum_rows<<<grid, 32 * kWarps, 0, stream>>>(static_cast<const T*>(table), num_rows, num_columns,
                                             parts);
}

}  // namespace

bool sums_columns(Element element, std::int64_t num_columns) {
  return element != Element::kFloat32 && num_columns > 0 && num_columns % kLaneChannels == 0;
}

std::size_t column_sums_workspace(std::int64_t num_rows, std::int64_t num_columns) {
  return static_cast<std::size_t>(num_parts(num_rows) * num_columns);
}

cudaError_t sum_parts(
    const float* parts, int num_parts, std::int64_t num_columns, float* sums, cudaStream_t stream) {
  add_parts<<<static_cast<unsigned>((num_columns + 31) / 32), 128, 0, stream>>>(parts, num_parts,
                                                                                num_columns, sums);
  return cudaGetLastError();
}

cudaError_t column_sums(Element element,
                        const void* table,
                        std::int64_t num_rows,
                        std::int64_t num_columns,
                        float* sums,
                        float* workspace,
                        cudaStream_t stream) {
  if (!sums_columns(element, num_columns)) return cudaErrorInvalidValue;
  if (element == Element::kBfloat16) {
    start_sums<__nv_bfloat16>(table, num_rows, num_columns, workspace, stream);
  } else {
    start_sums<__half>(table, num_rows, num_columns, workspace, stream);
  }
  if (const auto error = cudaGetLastError(); error != cudaSuccess) return error;
  return sum_parts(workspace, num_parts(num_rows), num_columns, sums, stream);
}

}  // namespace askos::model::cuda
