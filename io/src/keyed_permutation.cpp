// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/io/keyed_permutation.hpp>

namespace askos::io {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;

constexpr std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

}  // namespace

KeyedPermutation::KeyedPermutation(std::int64_t n, std::uint64_t seed, std::int64_t epoch) : n_(n) {
  if (n < 0 || n > (std::int64_t{1} << 62)) {
    throw Error(Errc::kInvalidInput, "permutation has an impossible length").with("found", n);
  }
  while ((std::int64_t{1} << (2 * half_bits_)) < n) {
    ++half_bits_;
  }
  std::uint64_t state = mix(mix(seed + kGolden) + static_cast<std::uint64_t>(epoch) + kGolden);
  for (std::uint64_t& key : keys_) {
    state += kGolden;
    key = mix(state);
  }
}

std::int64_t KeyedPermutation::operator()(std::int64_t i) const {
  if (i < 0 || i >= n_) {
    throw Error(Errc::kInvalidInput, "no such element").with("index", i).with("length", n_);
  }
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  auto value = static_cast<std::uint64_t>(i);
  do {
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask;
    for (const std::uint64_t key : keys_) {
      const std::uint64_t next = left ^ (mix(right + key) & mask);
      left = right;
      right = next;
    }
    value = (left << half_bits_) | right;
  } while (value >= static_cast<std::uint64_t>(n_));
  return static_cast<std::int64_t>(value);
}

}  // namespace askos::io
