// SPDX-License-Identifier: Apache-2.0
#include "packing.hpp"

#include <askos/comm/agreement.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace askos::comm {
namespace {

std::string to_bytes(const Facts& facts) {
  Packer packer;
  packer.put(static_cast<std::int64_t>(facts.size()));
  for (const auto& [key, value] : facts) {
    packer.put(key).put(value);
  }
  return packer.take();
}

std::map<std::string, std::string> to_map(const std::string& bytes) {
  std::map<std::string, std::string> facts;
  Unpacker unpacker(bytes);
  for (auto left = unpacker.number(); left > 0; --left) {
    const auto key = unpacker.text();
    facts[key] = unpacker.text();
  }
  return facts;
}

/// FNV-1a, see http://www.isthe.com/chongo/tech/comp/fnv/.
std::uint64_t digest(const std::string& text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char byte : text) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  }
  return hash;
}

std::string quoted(const std::map<std::string, std::string>& facts, const std::string& key) {
  const auto found = facts.find(key);
  return found == facts.end() ? "nothing" : found->second;
}

/// Names what differs between rank 0 and the first rank that is not like it.
Error difference(const std::vector<std::string>& texts) {
  const auto other = std::ranges::find_if(texts, [&](const auto& t) { return t != texts.front(); });
  const auto rank = std::to_string(other - texts.begin());
  const auto first = to_map(texts.front());
  const auto second = to_map(*other);
  Error error(Errc::kInvalidInput, "ranks of one run differ");
  auto keys = first;
  keys.insert(second.begin(), second.end());
  for (const auto& [key, value] : keys) {
    const auto one = quoted(first, key);
    const auto two = quoted(second, key);
    if (one != two) {
      error.with(key, "rank 0 has " + one + ", rank " + rank + " has " + two);
    }
  }
  return error;
}

}  // namespace

std::vector<std::string> exchange_texts(Communicator& ranks, const std::string& own) {
  const auto num_ranks = static_cast<std::size_t>(ranks.size());
  std::vector<std::int64_t> sizes(num_ranks);
  const std::vector<std::int64_t> ones(num_ranks, 1);
  const auto size = static_cast<std::int64_t>(own.size());
  ranks
      .all_gather({&size, 1, DType::kInt64},
                  {sizes.data(), static_cast<std::int64_t>(num_ranks), DType::kInt64}, ones)
      ->wait();
  const auto total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  std::string all(static_cast<std::size_t>(total), '\0');
  ranks.all_gather({own.data(), size, DType::kUInt8}, {all.data(), total, DType::kUInt8}, sizes)
      ->wait();
  std::vector<std::string> texts;
  std::size_t begin = 0;
  for (const auto each : sizes) {
    texts.push_back(all.substr(begin, static_cast<std::size_t>(each)));
    begin += static_cast<std::size_t>(each);
  }
  return texts;
}

void settle(Communicator& ranks, const std::function<void()>& step) {
  std::string own;
  try {
    step();
  } catch (...) {
    own = Packer().put(current_error()).take();
  }
  const auto texts = exchange_texts(ranks, own);
  const auto failed = std::ranges::find_if(texts, [](const auto& text) { return !text.empty(); });
  if (failed == texts.end()) {
    return;
  }
  Error error = Unpacker(*failed).error();
  if (std::ranges::any_of(texts, [](const auto& text) { return text.empty(); })) {
    error.with("rank", failed - texts.begin());
  }
  throw SettledError(error);
}

void expect_same(Communicator& ranks, const Facts& facts) {
  const auto own = to_bytes(facts);
  const auto digests = exchange_texts(ranks, std::to_string(digest(own)));
  if (std::ranges::all_of(digests, [&](const auto& d) { return d == digests.front(); })) {
    return;
  }
  throw SettledError(difference(exchange_texts(ranks, own)));
}

}  // namespace askos::comm
