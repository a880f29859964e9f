// SPDX-License-Identifier: Apache-2.0
#include "call.hpp"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <string_view>

namespace askos::comm {
namespace {

std::string_view to_string(CallKind kind) noexcept {
  switch (kind) {
    case CallKind::kAllReduce: return "all_reduce";
    case CallKind::kAllGather: return "all_gather";
    case CallKind::kReduceScatter: return "reduce_scatter";
    case CallKind::kAllToAll: return "all_to_all";
    case CallKind::kBroadcast: return "broadcast";
    case CallKind::kBarrier: return "barrier";
    case CallKind::kSplit: return "split";
  }
  return "unknown";
}

std::string_view to_string(ReduceOp op) noexcept {
  switch (op) {
    case ReduceOp::kSum: return "sum";
    case ReduceOp::kMax: return "max";
    case ReduceOp::kMin: return "min";
  }
  return "unknown";
}

std::string list(const std::vector<std::int64_t>& counts) {
  constexpr std::size_t kShown = 8;
  std::ostringstream out;
  for (std::size_t i = 0; i < std::min(counts.size(), kShown); ++i) {
    out << (i == 0 ? "[" : ",") << counts[i];
  }
  out << (counts.size() > kShown ? ",...]" : "]");
  return out.str();
}

std::int64_t total(const std::vector<std::int64_t>& counts) noexcept {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

/// The checks of one call; each adds what all messages need.
class Checker {
 public:
  Checker(const Call& call, int rank, int size) : call_(call), rank_(rank), size_(size) {}

  void buffer(std::string_view which, ConstBuffer found, std::int64_t wanted) const {
    if (found.count != wanted || found.count < 0) {
      throw error(Errc::kShapeMismatch, "buffer has another size than its counts say")
          .with("buffer", which)
          .with("entries", found.count)
          .with("expected", wanted);
    }
    if (found.count > 0 && found.data == nullptr) {
      throw error(Errc::kInvalidInput, "buffer has entries but no memory").with("buffer", which);
    }
  }

  void counts(std::string_view which, const std::vector<std::int64_t>& found) const {
    const bool negative = std::any_of(found.begin(), found.end(), [](auto n) { return n < 0; });
    if (found.size() != static_cast<std::size_t>(size_) || negative) {
      throw error(Errc::kShapeMismatch, "counts are not one number per rank, none negative")
          .with(which, list(found))
          .with("ranks", size_);
    }
  }

  void same_dtype() const {
    if (call_.send.dtype != call_.receive.dtype) {
      throw error(Errc::kTypeMismatch, "buffers of one collective differ in dtype")
          .with("send", call_.send.dtype)
          .with("receive", call_.receive.dtype);
    }
  }

  void root() const {
    if (call_.root < 0 || call_.root >= size_) {
      throw error(Errc::kInvalidInput, "root is not a rank")
          .with("root", call_.root)
          .with("ranks", size_);
    }
  }

 private:
  [[nodiscard]] Error error(Errc code, std::string text) const {
    return Error(code, std::move(text))
        .with("collective", to_string(call_.kind))
        .with("rank", rank_);
  }

  const Call& call_;
  int rank_;
  int size_;
};

}  // namespace

void check(const Call& call, int rank, int size) {
  const Checker checker(call, rank, size);
  const auto own = static_cast<std::size_t>(rank);
  switch (call.kind) {
    case CallKind::kAllReduce: checker.buffer("data", call.receive, call.receive.count); break;
    case CallKind::kBroadcast:
      checker.root();
      checker.buffer("data", call.receive, call.receive.count);
      break;
    case CallKind::kAllGather:
      checker.same_dtype();
      checker.counts("counts", call.counts);
      checker.buffer("send", call.send, call.counts[own]);
      checker.buffer("receive", call.receive, total(call.counts));
      break;
    case CallKind::kReduceScatter:
      checker.same_dtype();
      checker.counts("counts", call.counts);
      checker.buffer("send", call.send, total(call.counts));
      checker.buffer("receive", call.receive, call.counts[own]);
      break;
    case CallKind::kAllToAll:
      checker.same_dtype();
      checker.counts("send_counts", call.counts);
      checker.counts("receive_counts", call.receive_counts);
      checker.buffer("send", call.send, total(call.counts));
      checker.buffer("receive", call.receive, total(call.receive_counts));
      break;
    case CallKind::kBarrier:
    case CallKind::kSplit: break;
  }
}

bool agree(const Call& a, const Call& b) noexcept {
  if (a.kind != b.kind || a.receive.dtype != b.receive.dtype) {
    return false;
  }
  switch (a.kind) {
    case CallKind::kAllReduce: return a.op == b.op && a.receive.count == b.receive.count;
    case CallKind::kBroadcast: return a.root == b.root && a.receive.count == b.receive.count;
    case CallKind::kAllGather:
    case CallKind::kReduceScatter: return a.counts == b.counts;
    case CallKind::kAllToAll:
    case CallKind::kBarrier:
    case CallKind::kSplit: return true;
  }
  return false;
}

std::string describe(const Call& call) {
  std::ostringstream out;
  out << to_string(call.kind);
  switch (call.kind) {
    case CallKind::kAllReduce:
      out << '(' << to_string(call.op) << ", " << call.receive.dtype << " x " << call.receive.count
          << ')';
      break;
    case CallKind::kBroadcast:
      out << "(from " << call.root << ", " << call.receive.dtype << " x " << call.receive.count
          << ')';
      break;
    case CallKind::kAllGather:
    case CallKind::kReduceScatter:
    case CallKind::kAllToAll:
      out << '(' << call.receive.dtype << " x " << list(call.counts) << ')';
      break;
    case CallKind::kBarrier: break;
    case CallKind::kSplit: out << "(color " << call.color << ", " << call.name << ')'; break;
  }
  return out.str();
}

Error with_collective(Error failure,
                      const std::string& group,
                      const Call& call,
                      std::int64_t sequence) {
  if (failure.code() == Errc::kRankLost &&
      std::ranges::none_of(failure.values(), [](const auto& v) { return v.first == "sequence"; })) {
    failure.with("group", group).with("collective", describe(call)).with("sequence", sequence);
  }
  return failure;
}

std::int64_t wire_bytes(const Call& call, int rank, int size) noexcept {
  const auto entry = size_of(call.receive.dtype);
  const auto own = static_cast<std::size_t>(rank);
  switch (call.kind) {
    case CallKind::kAllReduce: return (size - 1) * call.receive.count * entry;
    case CallKind::kAllGather: return (size - 1) * call.send.count * entry;
    case CallKind::kReduceScatter:
    case CallKind::kAllToAll: return (call.send.count - call.counts[own]) * entry;
    case CallKind::kBroadcast:
      return rank == call.root ? (size - 1) * call.receive.count * entry : 0;
    case CallKind::kBarrier:
    case CallKind::kSplit: return 0;
  }
  return 0;
}

}  // namespace askos::comm
