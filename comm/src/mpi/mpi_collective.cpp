// SPDX-License-Identifier: Apache-2.0
#include "mpi/mpi_collective.hpp"

#include "combine.hpp"

#include <askos/telemetry/trace_ring.hpp>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <utility>

namespace askos::comm {
namespace {

/// Payload up to this size travels in its letter: below the limit of 4 KiB up to which Open MPI
/// sends a message between processes of one host without asking.
constexpr std::size_t kLetterBytes = 3072;

bool fits_letter(std::int64_t num_bytes) noexcept {
  return num_bytes <= static_cast<std::int64_t>(kLetterBytes);
}

std::string numbered(const char* what, int rank) {
  return what + std::to_string(rank);
}

/// Combines `count` entries of each source, in order, into `to`, which may be one of them.
void combine(const Call& call,
             const std::vector<const std::byte*>& sources,
             std::byte* to,
             std::int64_t count) noexcept {
  const auto entry = size_of(call.receive.dtype);
  CombineBlock block(call.receive.dtype, call.op);
  for (std::int64_t begin = 0; begin < count; begin += CombineBlock::kMaxEntries) {
    block.load(sources.front() + begin * entry, std::min(count - begin, CombineBlock::kMaxEntries));
    for (std::size_t r = 1; r < sources.size(); ++r) {
      block.add(sources[r] + begin * entry);
    }
    block.store(to + begin * entry);
  }
}

}  // namespace

struct MpiCollective::Letter {
  struct Page {
    Envelope envelope;
    std::array<std::byte, kLetterBytes> payload;
  };
  Page out;
  Page in;
};

MpiCollective::MpiCollective(const Wire& wire, std::int64_t sequence, Call call, int free_context)
    : wire_(wire),
      sequence_(sequence),
      call_(std::move(call)),
      free_context_(free_context),
      num_rounds_(has_two_rounds(call_, wire.size()) ? 2 : 1),
      pieces_(first_round(call_, wire.rank, wire.size())),
      letters_(std::make_unique_for_overwrite<Letter[]>(wire.processes.size())),
      envelopes_(wire.processes.size()),
      has_entered_(wire.processes.size(), false) {}

MpiCollective::~MpiCollective() = default;

void MpiCollective::start() {
  prepare_first_round();
  post_letters();
  post_payload();
}

void MpiCollective::prepare_first_round() {
  const auto own = static_cast<std::size_t>(wire_.rank);
  if (is_sum(call_)) {
    const auto num_bytes = pieces_.outgoing[own].num_bytes;
    scratch_ = std::make_unique_for_overwrite<std::byte[]>(
        static_cast<std::size_t>(num_bytes * wire_.size()));
    for (std::size_t r = 0; r < pieces_.incoming.size(); ++r) {
      pieces_.incoming[r].data = scratch_.get() + static_cast<std::int64_t>(r) * num_bytes;
    }
  }
  // What a rank keeps: in a sum it is read where it lies.
  const auto& kept = pieces_.outgoing[own];
  if ((call_.kind == CallKind::kAllGather || call_.kind == CallKind::kAllToAll) &&
      kept.num_bytes > 0 && kept.data != pieces_.incoming[own].data) {
    // Ranks that disagree may have buffers that overlap; they will be told, not corrupted.
    std::memmove(pieces_.incoming[own].data, kept.data, static_cast<std::size_t>(kept.num_bytes));
  }
}

void MpiCollective::post_letters() {
  const auto envelope = make_envelope(call_, sequence_);
  for (int rank = 0; rank < wire_.size(); ++rank) {
    if (is_own(rank)) continue;
    const auto r = static_cast<std::size_t>(rank);
    ranks_of_requests_.push_back(rank);
    post_receives(&letters_[r].in, sizeof(Letter::Page), wire_.processes[r], wire_.tag,
                  wire_.envelopes, requests_);
  }
  num_letters_due_ = static_cast<int>(requests_.size());
  for (int rank = 0; rank < wire_.size(); ++rank) {
    const auto r = static_cast<std::size_t>(rank);
    auto& page = letters_[r].out;
    page.envelope = envelope;
    page.envelope.context = free_context_;
    if (call_.kind == CallKind::kAllToAll) {
      page.envelope.pair_count = call_.counts[r];
      page.envelope.pair_expected = call_.receive_counts[r];
    }
    if (is_own(rank)) {
      envelopes_[r] = page.envelope;
      has_entered_[r] = true;
      continue;
    }
    std::int64_t num_bytes = sizeof(Envelope);
    if (pieces_.outgoing[r].num_bytes > 0 && fits_letter(pieces_.outgoing[r].num_bytes)) {
      std::memcpy(page.payload.data(), pieces_.outgoing[r].data,
                  static_cast<std::size_t>(pieces_.outgoing[r].num_bytes));
      num_bytes += pieces_.outgoing[r].num_bytes;
    }
    post_sends(&page, num_bytes, wire_.processes[r], wire_.tag, wire_.envelopes, requests_);
  }
}

void MpiCollective::post_payload() {
  const auto travels = [&](const Piece& piece, std::size_t r) {
    const bool in_letter = round_ == 1 && fits_letter(piece.num_bytes);
    return !is_own(static_cast<int>(r)) && piece.num_bytes > 0 && !in_letter;
  };
  for (std::size_t r = 0; r < pieces_.incoming.size(); ++r) {
    if (travels(pieces_.incoming[r], r)) {
      post_receives(pieces_.incoming[r].data, pieces_.incoming[r].num_bytes, wire_.processes[r],
                    wire_.tag, wire_.payload, requests_);
      ranks_of_requests_.resize(requests_.size(), -1);
      ranks_of_requests_.back() = static_cast<int>(r);
    }
  }
  // Each rank begins with its next neighbour, so that not all send to rank 0 first.
  for (std::size_t i = 1; i < pieces_.outgoing.size(); ++i) {
    const auto r = (static_cast<std::size_t>(wire_.rank) + i) % pieces_.outgoing.size();
    if (travels(pieces_.outgoing[r], r)) {
      post_sends(pieces_.outgoing[r].data, pieces_.outgoing[r].num_bytes, wire_.processes[r],
                 wire_.tag, wire_.payload, requests_);
    }
  }
  ranks_of_requests_.resize(requests_.size(), -1);
  statuses_.resize(requests_.size());
  indices_.resize(requests_.size());
}

std::optional<Error> MpiCollective::advance() {
  if (is_over()) {
    return std::nullopt;
  }
  int num_completed = 0;
  const int code = MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(),
                                &num_completed, indices_.data(), statuses_.data());
  if (code != MPI_SUCCESS && code != MPI_ERR_IN_STATUS) {
    check_mpi(code, "MPI_Testsome");
  }
  for (int i = 0; num_completed != MPI_UNDEFINED && i < num_completed; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const int index = indices_[at];
    if (code == MPI_ERR_IN_STATUS && statuses_[at].MPI_ERROR != MPI_SUCCESS) {
      transfer_failed_ = true;  // envelopes tell why, if another size was sent
    } else if (round_ == 1 && index < wire_.size() - 1) {
      int num_bytes = 0;
      MPI_Get_count(&statuses_[at], MPI_BYTE, &num_bytes);
      const int rank = ranks_of_requests_[static_cast<std::size_t>(index)];
      if (auto error = take_letter(rank, num_bytes)) {
        return error;
      }
    }
  }
  if (num_letters_due_ > 0 ||
      std::ranges::any_of(requests_, [](auto r) { return r != MPI_REQUEST_NULL; })) {
    return std::nullopt;
  }
  if (transfer_failed_) {
    return Error(Errc::kEnvironment, "MPI could not move the payload of a collective")
        .with("collective", describe(call_))
        .with("sequence", sequence_);
  }
  if (round_ < num_rounds_) {
    begin_second_round();
  } else {
    finish();
  }
  return std::nullopt;
}

std::optional<Error> MpiCollective::take_letter(int rank, int num_bytes) {
  const auto r = static_cast<std::size_t>(rank);
  const auto& page = letters_[r].in;
  envelopes_[r] = page.envelope;
  has_entered_[r] = true;
  --num_letters_due_;
  if (auto error = compare(rank)) {
    return error;
  }
  if (pieces_.incoming[r].num_bytes > 0 && fits_letter(pieces_.incoming[r].num_bytes)) {
    ASKOS_CHECK(num_bytes ==
                static_cast<std::int64_t>(sizeof(Envelope)) + pieces_.incoming[r].num_bytes);
    std::memcpy(pieces_.incoming[r].data, page.payload.data(),
                static_cast<std::size_t>(pieces_.incoming[r].num_bytes));
  }
  return std::nullopt;
}

std::optional<Error> MpiCollective::compare(int rank) const {
  const int own = wire_.rank;
  const auto& mine = envelopes_[static_cast<std::size_t>(own)];
  const auto& theirs = envelopes_[static_cast<std::size_t>(rank)];
  ASKOS_CHECK(theirs.sequence == sequence_);
  if (!agree(mine, theirs)) {
    const int first = std::min(own, rank);
    const int second = std::max(own, rank);
    return Error(Errc::kInternal, "ranks entered different collectives")
        .with("sequence", sequence_)
        .with(numbered("rank ", first), describe(to_call(first == own ? mine : theirs)))
        .with(numbered("rank ", second), describe(to_call(second == own ? mine : theirs)));
  }
  return call_.kind == CallKind::kAllToAll ? compare_pairs(rank) : std::nullopt;
}

std::optional<Error> MpiCollective::compare_pairs(int rank) const {
  const auto differ = [&](int from, std::int64_t sent, int to,
                          std::int64_t expected) -> std::optional<Error> {
    if (sent == expected) {
      return std::nullopt;
    }
    return Error(Errc::kInternal, "ranks entered all_to_all with different counts")
        .with("sequence", sequence_)
        .with(numbered("rank ", from), "sends " + std::to_string(sent) + numbered(" to rank ", to))
        .with(numbered("rank ", to),
              "expects " + std::to_string(expected) + numbered(" from rank ", from));
  };
  const auto r = static_cast<std::size_t>(rank);
  const auto& theirs = envelopes_[r];
  const int own = wire_.rank;
  if (auto error = differ(rank, theirs.pair_count, own, call_.receive_counts[r])) return error;
  if (auto error = differ(own, call_.counts[r], rank, theirs.pair_expected)) return error;
  // Few ranks see the counts of pairs that they are not part of; of many, such a rank fails when
  // the pair's alert reaches it.
  for (std::size_t other = 0;
       r < Envelope::kNumShown && other < envelopes_.size() && other < Envelope::kNumShown;
       ++other) {
    if (!has_entered_[other]) continue;
    const auto& each = envelopes_[other];
    const int o = static_cast<int>(other);
    if (auto error = differ(rank, theirs.counts[other], o, each.receive_counts[r])) return error;
    if (auto error = differ(o, each.counts[r], rank, theirs.receive_counts[other])) return error;
  }
  return std::nullopt;
}

void MpiCollective::sum_own_part() {
  std::vector<const std::byte*> sources;
  for (const auto& piece : pieces_.incoming) {
    sources.push_back(piece.data);
  }
  const auto own = static_cast<std::size_t>(wire_.rank);
  sources[own] = pieces_.outgoing[own].data;
  auto* const to = call_.kind == CallKind::kAllReduce ? pieces_.outgoing[own].data
                                                      : static_cast<std::byte*>(call_.receive.data);
  combine(call_, sources, to, pieces_.outgoing[own].num_bytes / size_of(call_.receive.dtype));
}

void MpiCollective::begin_second_round() {
  sum_own_part();
  round_ = 2;
  requests_.clear();
  ranks_of_requests_.clear();
  pieces_ = second_round(std::move(pieces_), wire_.rank);
  post_payload();
}

void MpiCollective::finish() {
  if (call_.kind == CallKind::kReduceScatter ||
      (call_.kind == CallKind::kAllReduce && num_rounds_ == 1)) {
    sum_own_part();
  }
  scratch_.reset();
  letters_.reset();
  finished_.store(telemetry::ticks(), std::memory_order_relaxed);
  state_.store(State::kDone, std::memory_order_release);
}

void MpiCollective::fail() noexcept {
  constexpr int kNumTries = 1000;
  for (auto& request : requests_) {
    if (request != MPI_REQUEST_NULL) {
      MPI_Cancel(&request);
    }
  }
  int all_done = 0;
  for (int i = 0; i < kNumTries && all_done == 0; ++i) {
    MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &all_done,
                MPI_STATUSES_IGNORE);
  }
  if (all_done == 0) {
    // MPI cannot take a message back that was offered; its memory must outlive this collective.
    (void)letters_.release();
    (void)scratch_.release();
  }
  state_.store(State::kFailed, std::memory_order_release);
}

std::vector<int> MpiCollective::missing() const {
  std::vector<int> ranks;
  for (std::size_t r = 0; r < has_entered_.size(); ++r) {
    if (!has_entered_[r]) {
      ranks.push_back(static_cast<int>(r));
    }
  }
  for (std::size_t i = 0; ranks.empty() && i < requests_.size(); ++i) {
    if (requests_[i] != MPI_REQUEST_NULL && ranks_of_requests_[i] >= 0) {
      ranks.push_back(ranks_of_requests_[i]);
    }
  }
  return ranks;
}

}  // namespace askos::comm
