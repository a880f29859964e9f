// SPDX-License-Identifier: Apache-2.0
// Graph attention over raw memory. Per head, with t = 1 / sqrt(channels), W and b the head's rows
// of the edge projection:
//
//   u_i = t W' q_i,   s_e = t q_i . k_j + u_i . a_e,   w = softmax over the edges into i
//   m_i = sum w_e a_e,   out_i = sum w_e v_j + W m_i + [i has edges] b + self_i
//
// Backward follows with g the gradient of out:
//   n_i = W' g_i,  dw_e = g_i . v_j + n_i . a_e,  ds_e = w_e (dw_e - sum w dw),  z_i = sum ds_e a_e
//   dq_i = t (sum ds_e k_j + W z_i),  da_e = sum over heads of ds_e u_i + w_e n_i
//   dW = sum over i of t q_i z_i' + g_i m_i',  db = sum of g_i over i with edges
//   dk_j = t sum ds_e q_i,  dv_j = sum w_e g_i
//
// No array has a row of channels per edge. Each result is written by one call, in a fixed order of
// sums, so threads that take ranges of nodes need no atomics and repeat bit by bit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace askos::model {

/// A float32's upper half.
struct Bfloat16 {
  std::uint16_t bits;
};

/// What sums over numbers of a stored type are made in; also the type of edges and weights.
template <typename T>
struct SumOf {
  using type = T;
};
template <>
struct SumOf<Bfloat16> {
  using type = float;
};
template <typename T>
using Sum = typename SumOf<T>::type;

/// Rows of heads * channels entries somewhere in memory; strides count entries.
template <typename T>
struct Rows {
  T* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t batch_stride = 0;

  [[nodiscard]] T* at(std::int64_t batch, std::int64_t row) const {
    return data + batch * batch_stride + row * row_stride;
  }
};

/// Rows in two tables, the second one's numbered on from the first one's.
template <typename T>
struct TwoTables {
  Rows<T> first;
  Rows<T> second;
  std::int64_t num_first = 0;

  [[nodiscard]] T* at(std::int64_t batch, std::int64_t row) const {
    return row < num_first ? first.at(batch, row) : second.at(batch, row - num_first);
  }
};

/// Sizes and edges of one problem.
struct AttentionShape {
  std::int64_t batch = 0;
  std::int64_t num_sources = 0;
  std::int64_t num_destinations = 0;
  std::int64_t num_edges = 0;
  std::int64_t heads = 0;
  std::int64_t channels = 0;
  std::int64_t features = 0;
  const std::int64_t* src = nullptr;
  const std::int64_t* dst = nullptr;
  const std::int64_t* destination_offsets = nullptr;
  const std::int64_t* source_offsets = nullptr;
  const std::int64_t* source_edges = nullptr;
  /// Forward's range of destinations is one of this list; null: of their numbers.
  const std::int64_t* order = nullptr;

  [[nodiscard]] std::int64_t destination(std::int64_t position) const {
    return order == nullptr ? position : order[position];
  }
};

template <typename T>
struct AttentionForward {
  Rows<const T> q;
  TwoTables<const T> k;
  TwoTables<const T> v;
  Rows<const T> self;            ///< without data: nothing is added
  const Sum<T>* a = nullptr;     ///< [edge, feature]
  const Sum<T>* w = nullptr;     ///< [feature, head * channel]
  const Sum<T>* bias = nullptr;  ///< [head * channel]
  Rows<T> out;
  Sum<T>* weights = nullptr;  ///< [batch, edge, head], kept for backward; null: not kept
};

template <typename T>
struct AttentionBackward {
  Rows<const T> q;
  TwoTables<const T> k;
  TwoTables<const T> v;
  const Sum<T>* a = nullptr;
  const Sum<T>* w = nullptr;
  const Sum<T>* weights = nullptr;
  Rows<const T> g;
  Rows<T> d_q;
  TwoTables<T> d_k;
  TwoTables<T> d_v;
  Rows<T> d_self;              ///< without data: not wanted
  Sum<T>* d_a = nullptr;       ///< [edge, feature]; null: not wanted
  Sum<T>* d_scores = nullptr;  ///< [batch, edge, head], passes from destinations to sources
};

/// The loops in one instruction set. Each takes a range of nodes and writes their results.
template <typename T>
struct AttentionKernels {
  /// Entries of `Sum<T>` that a call of the first two needs as scratch memory, `degree` being the
  /// largest number of edges into a node of its range.
  std::int64_t (*scratch)(const AttentionShape& shape, std::int64_t degree);
  void (*forward)(const AttentionShape& shape,
                  const AttentionForward<T>& data,
                  std::int64_t begin,
                  std::int64_t end,
                  Sum<T>* scratch);
  /// Adds this range's part of dW' and, as its last row, db to d_w [feature + 1, head * channel].
  void (*backward_destinations)(const AttentionShape& shape,
                                const AttentionBackward<T>& data,
                                std::int64_t begin,
                                std::int64_t end,
                                Sum<T>* d_w,
                                Sum<T>* scratch);
  void (*backward_sources)(const AttentionShape& shape,
                           const AttentionBackward<T>& data,
                           std::int64_t begin,
                           std::int64_t end);
};

/// Instruction sets, the plainest first.
enum class VectorLevel : std::uint8_t { kPortable, kAvx2, kAvx512 };

/// Returns the best that this processor has, or what ASKOS_VECTORS (portable, avx2 or avx512) asks
/// for. Throws `Errc::kInvalidInput` if it asks for what there is not.
[[nodiscard]] VectorLevel vector_level();

/// T is float, double or Bfloat16; `level` must be one that this processor has.
template <typename T>
[[nodiscard]] const AttentionKernels<T>& attention_kernels(VectorLevel level);

}  // namespace askos::model
