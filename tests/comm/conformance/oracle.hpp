// SPDX-License-Identifier: Apache-2.0
// What each collective must leave in each rank's memory, by plain loops on one thread. Inputs are
// functions of (seed, rank, position), so every rank can compute all ranks' data by itself.
#pragma once

#include <askos/comm/communicator.hpp>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace askos::comm::conformance {

using Values = std::vector<double>;
using Counts = std::vector<std::int64_t>;

/// Entry `position` of what rank `rank` contributes: 0 … 49, so that sums over five ranks are exact
/// in every dtype.
inline double entry(std::uint64_t seed, int rank, std::int64_t position) {
  std::uint64_t bits = seed * 0x9e3779b97f4a7c15u +
                       static_cast<std::uint64_t>(rank) * 0xbf58476d1ce4e5b9u +
                       static_cast<std::uint64_t>(position) * 0x94d049bb133111ebu;
  bits ^= bits >> 31;
  bits *= 0xd6e8feb86659fd93u;
  return static_cast<double>((bits >> 40) % 50);
}

inline Values contribution(std::uint64_t seed, int rank, std::int64_t count) {
  Values values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(entry(seed, rank, i));
  }
  return values;
}

inline std::int64_t total(const Counts& counts) {
  std::int64_t sum = 0;
  for (const auto count : counts) {
    sum += count;
  }
  return sum;
}

/// Random shard sizes up to `most`, each empty with probability 1/4.
inline Counts random_counts(std::mt19937_64& random, int num_ranks, std::int64_t most) {
  Counts counts;
  for (int r = 0; r < num_ranks; ++r) {
    const bool empty = random() % 4 == 0;
    const auto size = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most + 1));
    counts.push_back(empty ? 0 : size);
  }
  return counts;
}

/// `[from][to]`: how many entries go where in all_to_all.
inline std::vector<Counts> random_matrix(std::mt19937_64& random,
                                         int num_ranks,
                                         std::int64_t most) {
  std::vector<Counts> matrix;
  for (int r = 0; r < num_ranks; ++r) {
    matrix.push_back(random_counts(random, num_ranks, most));
  }
  return matrix;
}

inline Counts column(const std::vector<Counts>& matrix, int to) {
  Counts counts;
  for (const Counts& row : matrix) {
    counts.push_back(row[static_cast<std::size_t>(to)]);
  }
  return counts;
}

inline double combine(ReduceOp op, double a, double b) {
  switch (op) {
    case ReduceOp::kSum: return a + b;
    case ReduceOp::kMax: return std::max(a, b);
    case ReduceOp::kMin: return std::min(a, b);
  }
  return 0;
}

inline Values reduced(ReduceOp op, std::uint64_t seed, int num_ranks, std::int64_t count) {
  Values result = contribution(seed, 0, count);
  for (int r = 1; r < num_ranks; ++r) {
    for (std::int64_t i = 0; i < count; ++i) {
      auto& value = result[static_cast<std::size_t>(i)];
      value = combine(op, value, entry(seed, r, i));
    }
  }
  return result;
}

inline Values gathered(std::uint64_t seed, const Counts& counts) {
  Values result;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    const auto part = contribution(seed, static_cast<int>(r), counts[r]);
    result.insert(result.end(), part.begin(), part.end());
  }
  return result;
}

inline Values scattered(std::uint64_t seed, const Counts& counts, int rank) {
  const Values all = reduced(ReduceOp::kSum, seed, static_cast<int>(counts.size()), total(counts));
  std::int64_t begin = 0;
  for (int r = 0; r < rank; ++r) {
    begin += counts[static_cast<std::size_t>(r)];
  }
  return {all.begin() + begin, all.begin() + begin + counts[static_cast<std::size_t>(rank)]};
}

inline Values exchanged(std::uint64_t seed, const std::vector<Counts>& matrix, int rank) {
  Values result;
  for (std::size_t from = 0; from < matrix.size(); ++from) {
    std::int64_t begin = 0;
    for (int to = 0; to < rank; ++to) {
      begin += matrix[from][static_cast<std::size_t>(to)];
    }
    for (std::int64_t i = 0; i < matrix[from][static_cast<std::size_t>(rank)]; ++i) {
      result.push_back(entry(seed, static_cast<int>(from), begin + i));
    }
  }
  return result;
}

}  // namespace askos::comm::conformance
