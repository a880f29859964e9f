// SPDX-License-Identifier: Apache-2.0
// The loops that attention_kernels.hpp describes, for whichever instruction set the including file
// is compiled for.
//
// Rows of channels are walked along channels. What there is per edge and head (scores, weights) and
// per feature and head (u, m, n, z) has its heads in lanes, padded to whole vectors, so that the
// softmax and all sums over features need nothing across lanes.
#pragma once

#include "lanes.hpp"

namespace askos::model {
namespace {

template <typename A>
ASKOS_INLINE std::int64_t head_groups(const AttentionShape& shape) {
  return (shape.heads + Lanes<A>::kCount - 1) / Lanes<A>::kCount;
}

/// kVectors: vectors in the channels of a head; 0: any number of channels.
template <typename T, int kVectors>
class Loops {
  using A = Sum<T>;
  using V = Vector<A>;
  static constexpr int kLanes = Lanes<A>::kCount;

 public:
  Loops(const AttentionShape& shape, A* scratch)
      : shape_(shape),
        heads_(shape.heads),
        channels_(kVectors > 0 ? kVectors * kLanes : shape.channels),
        features_(shape.features),
        row_(shape.heads * shape.channels),
        groups_(head_groups<A>(shape)),
        padded_(groups_ * kLanes),
        scale_(1 / root(static_cast<A>(shape.channels))),
        next_(aligned(scratch)) {}

  static std::int64_t scratch(const AttentionShape& shape, std::int64_t degree) {
    const std::int64_t padded = head_groups<A>(shape) * kLanes;
    return 2 * (shape.heads * shape.channels + kLanes) +
           (4 * shape.features + 2 * degree) * padded + kLanes;
  }

  void forward(const AttentionForward<T>& data, std::int64_t begin, std::int64_t end) {
    A* const q = take(row_);
    A* const u = take(features_ * padded_);
    A* const mean = take(features_ * padded_);
    A* const weights = next_;
    for (std::int64_t position = begin; position < end; ++position) {
      const std::int64_t i = shape_.destination(position);
      const std::int64_t first = shape_.destination_offsets[i];
      const std::int64_t degree = shape_.destination_offsets[i + 1] - first;
      const std::int64_t* src = shape_.src + first;
      const A* a = data.a + first * features_;
      for (std::int64_t b = 0; b < shape_.batch; ++b) {
        scaled_row(data.q.at(b, i), scale_, q);
        project(data.w, q, u);
        for (std::int64_t e = 0; e < degree; ++e) {
          const T* next = data.k.at(b, src[e + 1 < degree ? e + 1 : e]);
          dots(q, data.k.at(b, src[e]), next, weights + e * padded_);
          add_features(u, a + e * features_, weights + e * padded_);
        }
        softmax(weights, degree);
        feature_sums(weights, a, degree, mean);
        if (data.weights != nullptr) {
          keep(weights, degree, data.weights + (b * shape_.num_edges + first) * heads_);
        }
        weighted_rows(
            degree, [&](std::int64_t e) { return data.v.at(b, src[e]); },
            [&](std::int64_t e) { return weights + e * padded_; },
            [&](std::int64_t at, std::int64_t head, std::int64_t count, V sum) {
              sum = add_edge_part(data.w, mean, head, at, count, sum);
              if (degree > 0) sum += part(data.bias + at, count);
              if (data.self.data != nullptr) sum += part(data.self.at(b, i) + at, count);
              put(data.out.at(b, i) + at, sum, count);
            });
      }
    }
  }

  void backward_destinations(const AttentionBackward<T>& data,
                             std::int64_t begin,
                             std::int64_t end,
                             A* d_w) {
    A* const q = take(row_);
    A* const g = take(row_);
    A* const u = take(features_ * padded_);
    A* const n = take(features_ * padded_);
    A* const mean = take(features_ * padded_);
    A* const z = take(features_ * padded_);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = shape_.destination_offsets[i];
      const std::int64_t degree = shape_.destination_offsets[i + 1] - first;
      const std::int64_t* src = shape_.src + first;
      const A* a = data.a + first * features_;
      A* const weights = next_;
      A* const d_scores = next_ + degree * padded_;
      for (std::int64_t b = 0; b < shape_.batch; ++b) {
        const std::int64_t at_edges = (b * shape_.num_edges + first) * heads_;
        scaled_row(data.q.at(b, i), scale_, q);
        scaled_row(data.g.at(b, i), A(1), g);
        project(data.w, g, n);
        if (data.d_a != nullptr) project(data.w, q, u);
        fetch(data.weights + at_edges, degree, weights);
        for (std::int64_t e = 0; e < degree; ++e) {
          const T* next = data.v.at(b, src[e + 1 < degree ? e + 1 : e]);
          dots(g, data.v.at(b, src[e]), next, d_scores + e * padded_);
          add_features(n, a + e * features_, d_scores + e * padded_);
        }
        softmax_backward(weights, degree, d_scores);
        keep(d_scores, degree, data.d_scores + at_edges);
        feature_sums(weights, a, degree, mean);
        feature_sums(d_scores, a, degree, z);
        if (data.d_a != nullptr) {
          for (std::int64_t e = 0; e < degree; ++e) {
            edge_gradient(u, n, weights + e * padded_, d_scores + e * padded_, b > 0,
                          data.d_a + (first + e) * features_);
          }
        }
        add_weight_gradient(q, z, g, mean, degree > 0, d_w);
        weighted_rows(
            degree, [&](std::int64_t e) { return data.k.at(b, src[e]); },
            [&](std::int64_t e) { return d_scores + e * padded_; },
            [&](std::int64_t at, std::int64_t head, std::int64_t count, V sum) {
              sum = add_edge_part(data.w, z, head, at, count, sum);
              put(data.d_q.at(b, i) + at, sum * scale_, count);
            });
        if (data.d_self.data != nullptr) copy_row(data.g.at(b, i), data.d_self.at(b, i));
      }
    }
  }

  void backward_sources(const AttentionBackward<T>& data, std::int64_t begin, std::int64_t end) {
    for (std::int64_t j = begin; j < end; ++j) {
      const std::int64_t* edges = shape_.source_edges + shape_.source_offsets[j];
      const std::int64_t degree = shape_.source_offsets[j + 1] - shape_.source_offsets[j];
      for (std::int64_t b = 0; b < shape_.batch; ++b) {
        const auto edge_row = [&](const A* rows, std::int64_t e) {
          return rows + (b * shape_.num_edges + edges[e]) * heads_;
        };
        weighted_rows(
            degree, [&](std::int64_t e) { return data.q.at(b, shape_.dst[edges[e]]); },
            [&](std::int64_t e) { return edge_row(data.d_scores, e); },
            [&](std::int64_t at, std::int64_t, std::int64_t count, V sum) {
              put(data.d_k.at(b, j) + at, sum * scale_, count);
            });
        weighted_rows(
            degree, [&](std::int64_t e) { return data.g.at(b, shape_.dst[edges[e]]); },
            [&](std::int64_t e) { return edge_row(data.weights, e); },
            [&](std::int64_t at, std::int64_t, std::int64_t count, V sum) {
              put(data.d_v.at(b, j) + at, sum, count);
            });
      }
    }
  }

 private:
  static A root(A x) {
    if constexpr (sizeof(A) == sizeof(float)) return __builtin_sqrtf(x);
    return __builtin_sqrt(x);
  }

  static A* aligned(A* scratch) {
    const auto address = reinterpret_cast<std::uintptr_t>(scratch);
    return reinterpret_cast<A*>((address + kVectorBytes - 1) / kVectorBytes * kVectorBytes);
  }

  A* take(std::int64_t count) {
    A* const taken = next_;
    next_ += (count + kLanes - 1) / kLanes * kLanes;
    return taken;
  }

  // `count` < kLanes only at the end of a head whose channels do not fill its last vector.
  template <typename U>
  ASKOS_INLINE static V part(const U* from, std::int64_t count) {
    if constexpr (kVectors > 0) return load(from);
    return count >= kLanes ? load(from) : load_part(from, count);
  }
  template <typename U>
  ASKOS_INLINE static void put(U* to, V x, std::int64_t count) {
    if (kVectors > 0 || count >= kLanes) {
      store(to, x);
    } else {
      store_part(to, x, count);
    }
  }

  void scaled_row(const T* from, A scale, A* to) const {
    std::int64_t c = 0;
    for (; c + kLanes <= row_; c += kLanes) store(to + c, load(from + c) * scale);
    if (c < row_) store_part(to + c, load_part(from + c, row_ - c) * scale, row_ - c);
  }

  void copy_row(const T* from, T* to) const {
    for (std::int64_t c = 0; c < row_; ++c) to[c] = from[c];
  }

  /// Lanes of x * y over one head's channels, not yet added up.
  template <typename U>
  ASKOS_INLINE V head_product(const A* x, const U* y, std::int64_t head) const {
    const std::int64_t at = head * channels_;
    if constexpr (kVectors > 0) {
      V sum = load(x + at) * load(y + at);
#pragma GCC unroll 8
      for (int c = 1; c < kVectors; ++c) {
        sum += load(x + at + c * kLanes) * load(y + at + c * kLanes);
      }
      return sum;
    } else {
      V sum = {};
      for (std::int64_t c = 0; c < channels_; c += kLanes) {
        sum += part(x + at + c, channels_ - c) * part(y + at + c, channels_ - c);
      }
      return sum;
    }
  }

  /// sums[head] = x . y over the head's channels; `next` is a row that is needed soon.
  template <typename U>
  ASKOS_INLINE void dots(const A* x, const U* y, const U* next, A* sums) const {
    std::int64_t head = 0;
    for (; head + kLanes <= heads_; head += kLanes) {
      store(sums + head, lane_sums<A, 0, kLanes>([&](int h) [[gnu::always_inline]] {
              prefetch(next, head + h);
              return head_product(x, y, head + h);
            }));
    }
    if (head == heads_) return;
    if (heads_ - head == kLanes / 2) {
      store(sums + head, lane_sums<A, 0, kLanes>([&](int h) [[gnu::always_inline]] {
              if (h >= kLanes / 2) return V{};
              prefetch(next, head + h);
              return head_product(x, y, head + h);
            }));
      return;
    }
    store(sums + head, lane_sums<A, 0, kLanes>([&](int h) [[gnu::always_inline]] {
            return head + h < heads_ ? head_product(x, y, head + h) : V{};
          }));
  }

  template <typename U>
  ASKOS_INLINE void prefetch(const U* row, std::int64_t head) const {
    constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(U));
    for (std::int64_t c = 0; c < channels_; c += kLine) {
      __builtin_prefetch(row + head * channels_ + c);
    }
  }

  /// to[feature][head] = sum over channels of w[feature][head, channel] x[head, channel].
  void project(const A* w, const A* x, A* to) const {
    for (std::int64_t f = 0; f < features_; ++f) {
      dots(x, w + f * row_, w + f * row_, to + f * padded_);
    }
  }

  /// sums[head] += sum over features of u[feature][head] a[feature].
  void add_features(const A* u, const A* a, A* sums) const {
    for (std::int64_t h = 0; h < padded_; h += kLanes) {
      V sum = load(sums + h);
      for (std::int64_t f = 0; f < features_; ++f) sum += load(u + f * padded_ + h) * a[f];
      store(sums + h, sum);
    }
  }

  /// to[feature][head] = sum over edges of weights[edge][head] a[edge][feature].
  void feature_sums(const A* weights, const A* a, std::int64_t degree, A* to) const {
    for (std::int64_t h = 0; h < padded_; h += kLanes) {
      for (std::int64_t f = 0; f < features_; f += 4) {
        V sums[4] = {};
        const std::int64_t count = features_ - f < 4 ? features_ - f : 4;
        if (count == 4) {
          for (std::int64_t e = 0; e < degree; ++e) {
            const V weight = load(weights + e * padded_ + h);
#pragma GCC unroll 4
            for (int n = 0; n < 4; ++n) sums[n] += weight * a[e * features_ + f + n];
          }
        } else {
          for (std::int64_t n = 0; n < count; ++n) {
            for (std::int64_t e = 0; e < degree; ++e) {
              sums[n] += load(weights + e * padded_ + h) * a[e * features_ + f + n];
            }
          }
        }
        for (std::int64_t n = 0; n < count; ++n) store(to + (f + n) * padded_ + h, sums[n]);
      }
    }
  }

  /// Turns scores [edge, head] into weights in place.
  void softmax(A* scores, std::int64_t degree) const {
    if (degree == 0) return;
    for (std::int64_t h = 0; h < padded_; h += kLanes) {
      V largest = load(scores + h);
      for (std::int64_t e = 1; e < degree; ++e) {
        largest = larger<A>(largest, load(scores + e * padded_ + h));
      }
      V sum = {};
      for (std::int64_t e = 0; e < degree; ++e) {
        A* const score = scores + e * padded_ + h;
        const V weight = exponential(load(score) - largest);
        sum += weight;
        store(score, weight);
      }
      const V factor = 1 / sum;
      for (std::int64_t e = 0; e < degree; ++e) {
        store(scores + e * padded_ + h, load(scores + e * padded_ + h) * factor);
      }
    }
  }

  /// Turns gradients of weights into gradients of scores in place.
  void softmax_backward(const A* weights, std::int64_t degree, A* d_scores) const {
    for (std::int64_t h = 0; h < padded_; h += kLanes) {
      V mean = {};
      for (std::int64_t e = 0; e < degree; ++e) {
        mean += load(weights + e * padded_ + h) * load(d_scores + e * padded_ + h);
      }
      for (std::int64_t e = 0; e < degree; ++e) {
        A* const d_score = d_scores + e * padded_ + h;
        store(d_score, load(weights + e * padded_ + h) * (load(d_score) - mean));
      }
    }
  }

  /// Takes the padding of heads away, or puts it (zeros) back.
  void keep(const A* padded, std::int64_t degree, A* rows) const {
    for (std::int64_t e = 0; e < degree; ++e) {
      std::int64_t h = 0;
      for (; h + kLanes <= heads_; h += kLanes) {
        store(rows + e * heads_ + h, load(padded + e * padded_ + h));
      }
      if (h < heads_) {
        store_part(rows + e * heads_ + h, load(padded + e * padded_ + h), heads_ - h);
      }
    }
  }
  void fetch(const A* rows, std::int64_t degree, A* padded) const {
    for (std::int64_t e = 0; e < degree; ++e) {
      std::int64_t h = 0;
      for (; h + kLanes <= heads_; h += kLanes) {
        store(padded + e * padded_ + h, load(rows + e * heads_ + h));
      }
      if (h < heads_) {
        store(padded + e * padded_ + h, load_part(rows + e * heads_ + h, heads_ - h));
      }
    }
  }

  /// d_a[feature] = (or +=) sum over heads of d_score u[feature] + weight n[feature].
  void edge_gradient(
      const A* u, const A* n, const A* weights, const A* d_scores, bool add, A* d_a) const {
    for (std::int64_t f = 0; f < features_; f += kLanes) {
      const std::int64_t count = features_ - f < kLanes ? features_ - f : kLanes;
      const V sums = lane_sums<A, 0, kLanes>([&](int lane) [[gnu::always_inline]] {
        V sum = {};
        if (lane >= count) return sum;
        const std::int64_t at = (f + lane) * padded_;
        for (std::int64_t h = 0; h < padded_; h += kLanes) {
          sum += load(d_scores + h) * load(u + at + h) + load(weights + h) * load(n + at + h);
        }
        return sum;
      });
      store_part(d_a + f, add ? load_part(d_a + f, count) + sums : sums, count);
    }
  }

  /// sum + W m of channels [at, at + count), which are of `head`.
  ASKOS_INLINE V add_edge_part(
      const A* w, const A* m, std::int64_t head, std::int64_t at, std::int64_t count, V sum) const {
    for (std::int64_t f = 0; f < features_; ++f) {
      sum += part(w + f * row_ + at, count) * m[f * padded_ + head];
    }
    return sum;
  }

  void add_weight_gradient(
      const A* q, const A* z, const A* g, const A* mean, bool has_edges, A* d_w) const {
    if (!has_edges) return;
    for (std::int64_t f = 0; f <= features_; ++f) {
      A* const to = d_w + f * row_;
      for (std::int64_t head = 0; head < heads_; ++head) {
        const A from_q = f < features_ ? z[f * padded_ + head] : A(0);
        const A from_g = f < features_ ? mean[f * padded_ + head] : A(1);
        const std::int64_t last = (head + 1) * channels_;
        for (std::int64_t at = head * channels_; at < last; at += kLanes) {
          const std::int64_t count = last - at;
          put(to + at,
              part(to + at, count) + part(q + at, count) * from_q + part(g + at, count) * from_g,
              count);
        }
      }
    }
  }

  /// Gives `finish(channel, head, count, sum)` the sums over edges of weight times row.
  template <typename Row, typename Weights, typename Finish>
  ASKOS_INLINE void weighted_rows(std::int64_t degree,
                                  const Row& row,
                                  const Weights& weights,
                                  const Finish& finish) const {
    if constexpr (kVectors > 0) {
      constexpr int kHeads = kVectors < 8 ? 8 / kVectors : 1;
      std::int64_t head = 0;
      for (; head + kHeads <= heads_; head += kHeads) {
        weighted_heads<kHeads>(degree, head, row, weights, finish);
      }
      for (; head < heads_; ++head) weighted_heads<1>(degree, head, row, weights, finish);
    } else {
      for (std::int64_t head = 0; head < heads_; ++head) {
        for (std::int64_t c = 0; c < channels_; c += kLanes) {
          const std::int64_t at = head * channels_ + c;
          V sum = {};
          for (std::int64_t e = 0; e < degree; ++e) {
            sum += part(row(e) + at, channels_ - c) * weights(e)[head];
          }
          finish(at, head, channels_ - c, sum);
        }
      }
    }
  }

  template <int kHeads, typename Row, typename Weights, typename Finish>
  ASKOS_INLINE void weighted_heads(std::int64_t degree,
                                   std::int64_t head,
                                   const Row& row,
                                   const Weights& weights,
                                   const Finish& finish) const {
    V sums[kHeads * kVectors] = {};
    const std::int64_t at = head * channels_;
    for (std::int64_t e = 0; e < degree; ++e) {
      const T* const from = row(e) + at;
      const A* const weight = weights(e) + head;
#pragma GCC unroll 8
      for (int n = 0; n < kHeads * kVectors; ++n) {
        sums[n] += load(from + n * kLanes) * weight[n / kVectors];
      }
    }
#pragma GCC unroll 8
    for (int n = 0; n < kHeads * kVectors; ++n) {
      finish(at + n * kLanes, head + n / kVectors, kLanes, sums[n]);
    }
  }

  const AttentionShape& shape_;
  std::int64_t heads_;
  std::int64_t channels_;
  std::int64_t features_;
  std::int64_t row_;
  std::int64_t groups_;
  std::int64_t padded_;  ///< heads, rounded up to whole vectors
  A scale_;
  A* next_;
};

/// Calls `run` with the loops that are made for the channels of `shape`. Float64 is for checks.
template <typename T, typename Run>
void with_loops(const AttentionShape& shape, Sum<T>* scratch, const Run& run) {
  if constexpr (sizeof(T) == sizeof(double)) return run(Loops<T, 0>(shape, scratch));
  constexpr std::int64_t lanes = Lanes<Sum<T>>::kCount;
  switch (shape.channels % lanes == 0 ? shape.channels / lanes : 0) {
    case 1: return run(Loops<T, 1>(shape, scratch));
    case 2: return run(Loops<T, 2>(shape, scratch));
    case 4: return run(Loops<T, 4>(shape, scratch));
    case 8: return run(Loops<T, 8>(shape, scratch));
    default: return run(Loops<T, 0>(shape, scratch));
  }
}

template <typename T>
constexpr AttentionKernels<T> kLoops = {
    .scratch = [](const AttentionShape& shape,
                  std::int64_t degree) { return Loops<T, 0>::scratch(shape, degree); },
    .forward =
        [](const AttentionShape& shape,
           const AttentionForward<T>& data,
           std::int64_t begin,
           std::int64_t end,
           Sum<T>* scratch) {
          with_loops<T>(shape, scratch, [&](auto loops) { loops.forward(data, begin, end); });
        },
    .backward_destinations =
        [](const AttentionShape& shape,
           const AttentionBackward<T>& data,
           std::int64_t begin,
           std::int64_t end,
           Sum<T>* d_w,
           Sum<T>* scratch) {
          with_loops<T>(shape, scratch,
                        [&](auto loops) { loops.backward_destinations(data, begin, end, d_w); });
        },
    .backward_sources =
        [](const AttentionShape& shape,
           const AttentionBackward<T>& data,
           std::int64_t begin,
           std::int64_t end) {
          with_loops<T>(shape, nullptr,
                        [&](auto loops) { loops.backward_sources(data, begin, end); });
        },
};

}  // namespace
}  // namespace askos::model
