// SPDX-License-Identifier: Apache-2.0
// Plain loops of graph attention over raw memory. Per head, with t = 1 / sqrt(channels):
//
//   s_e = t q_i . k_j + u_i . a_e,   w = softmax over the edges into i
//   out_i = sum w_e v_j,             mean_i = sum w_e a_e
//
// Backward follows with g = gradient of out, m = gradient of mean:
//   dw_e = g_i . v_j + m_i . a_e,    ds_e = w_e (dw_e - sum w dw)
//   dq_i = t sum ds_e k_j,  du_i = sum ds_e a_e,  da_e = sum over heads of ds_e u_i + w_e m_i
//   dk_j = t sum ds_e q_i,  dv_j = sum w_e g_i
#pragma once

#include <cstdint>

namespace askos::model {

/// Sizes and edges of one problem. Rows of q, k, v and out hold heads * channels entries, rows of
/// u and mean heads * features.
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
};

/// q, k, v, u, a are read. out, mean and weights [batch, edge, head] are written.
template <typename T>
struct AttentionForward {
  const T* q;
  const T* k;
  const T* v;
  const T* u;
  const T* a;
  T* out;
  T* mean;
  T* weights;
};

/// Computes destinations [begin, end).
template <typename T>
void attend(const AttentionShape& shape,
            const AttentionForward<T>& data,
            std::int64_t begin,
            std::int64_t end);

/// As above, and the gradients; `d_scores` [batch, edge, head] passes from the first pass to the
/// second.
template <typename T>
struct AttentionBackward {
  const T* q;
  const T* k;
  const T* v;
  const T* u;
  const T* a;
  const T* weights;
  const T* g_out;
  const T* g_mean;
  T* d_q;
  T* d_k;
  T* d_v;
  T* d_u;
  T* d_a;
  T* d_scores;
};

/// Writes d_scores, d_q, d_u and d_a for destinations [begin, end).
template <typename T>
void attend_backward_destinations(const AttentionShape& shape,
                                  const AttentionBackward<T>& data,
                                  std::int64_t begin,
                                  std::int64_t end);

/// Writes d_k and d_v for sources [begin, end).
template <typename T>
void attend_backward_sources(const AttentionShape& shape,
                             const AttentionBackward<T>& data,
                             std::int64_t begin,
                             std::int64_t end);

}  // namespace askos::model
