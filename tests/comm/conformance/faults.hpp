// SPDX-License-Identifier: Apache-2.0
// Ranks that disagree, that are missing, that give up, and calls that make no sense.
#pragma once

#include "array.hpp"
#include "oracle.hpp"

#include <askos/base/error.hpp>

#include <gmock/gmock.h>

namespace askos::comm::conformance {

/// Instantiate it with two ranks or more.
class FaultConformance : public ConformanceTest {
 protected:
  [[nodiscard]] int last() const { return num_ranks() - 1; }

  /// Makes the last rank enter `other` and the rest `usual`; expects every rank to be told both.
  void expect_mismatch(const std::function<WorkPtr(Communicator&)>& usual,
                       const std::function<WorkPtr(Communicator&)>& other,
                       const std::string& usual_text,
                       const std::string& other_text) const;
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(FaultConformance);

/// Expects `function` to throw an `Error` of `code` whose message holds all of `texts`.
template <typename Function>
void expect_error(Errc code, const std::vector<std::string>& texts, Function function) {
  try {
    function();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const auto& text : texts) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(text));
    }
  }
}

inline void FaultConformance::expect_mismatch(const std::function<WorkPtr(Communicator&)>& usual,
                                              const std::function<WorkPtr(Communicator&)>& other,
                                              const std::string& usual_text,
                                              const std::string& other_text) const {
  SCOPED_TRACE(usual_text + " against " + other_text);
  run([&](Communicator& comm) {
    comm.barrier()->wait();
    const auto work = comm.rank() == last() ? other(comm) : usual(comm);
    const std::vector<std::string> told{"sequence=1", "rank " + std::to_string(last()), usual_text,
                                        other_text};
    expect_error(Errc::kInternal, told, [&] { work->wait(); });
    expect_error(Errc::kInternal, told, [&] { comm.barrier()->wait(); });
  });
}

TEST_P(FaultConformance, DifferentCollectivesAreNamedOnAllRanks) {
  const Array four(backend(), DType::kFloat32, 4);
  const Array three(backend(), DType::kFloat32, 3);
  const Array bytes(backend(), DType::kUInt8, 4);
  // One array serves all ranks, as no byte is ever moved.
  const auto reduce = [](const Array& data, ReduceOp op) {
    return [&data, op](Communicator& comm) { return comm.all_reduce(data.buffer(), op); };
  };
  const auto from = [&](int root) {
    return [&, root](Communicator& comm) { return comm.broadcast(four.buffer(), root); };
  };
  const auto barrier = [](Communicator& comm) { return comm.barrier(); };
  expect_mismatch(reduce(four, ReduceOp::kSum), barrier, "all_reduce(sum, float32 x 4)", "barrier");
  expect_mismatch(reduce(four, ReduceOp::kSum), reduce(four, ReduceOp::kMax),
                  "all_reduce(sum, float32 x 4)", "all_reduce(max, float32 x 4)");
  expect_mismatch(reduce(four, ReduceOp::kSum), reduce(three, ReduceOp::kSum),
                  "all_reduce(sum, float32 x 4)", "all_reduce(sum, float32 x 3)");
  expect_mismatch(reduce(four, ReduceOp::kSum), reduce(bytes, ReduceOp::kSum),
                  "all_reduce(sum, float32 x 4)", "all_reduce(sum, uint8 x 4)");
  expect_mismatch(from(0), from(1), "broadcast(from 0, float32 x 4)",
                  "broadcast(from 1, float32 x 4)");
}

TEST_P(FaultConformance, DifferentShardSizesAreNamedOnAllRanks) {
  Counts usual(static_cast<std::size_t>(num_ranks()), 2);
  Counts other = usual;
  usual[0] = 3;
  other[1] = 3;
  const Array all(backend(), DType::kFloat32, total(usual));
  const auto gather = [&](const Counts& counts) {
    return [&](Communicator& comm) {
      return comm.all_gather(all.part(0, counts[static_cast<std::size_t>(comm.rank())]),
                             all.buffer(), counts);
    };
  };
  expect_mismatch(gather(usual), gather(other), "all_gather(float32 x [3,2",
                  "all_gather(float32 x [2,3");
}

TEST_P(FaultConformance, PairsThatCountDifferentlyAreNamedOnAllRanks) {
  run([&](Communicator& comm) {
    const Counts expected(static_cast<std::size_t>(num_ranks()), 1);
    Counts sent = expected;
    if (comm.rank() == last()) {
      sent[0] = 2;
    }
    const Array send(backend(), DType::kFloat32, total(sent));
    const Array receive(backend(), DType::kFloat32, total(expected));
    const auto work = comm.all_to_all(send.buffer(), sent, receive.buffer(), expected);
    const auto rank = std::to_string(last());
    expect_error(Errc::kInternal,
                 {"sequence=0", "rank " + rank + "='sends 2 to rank 0'",
                  "rank 0='expects 1 from rank " + rank},
                 [&] { work->wait(); });
  });
}

TEST_P(FaultConformance, AMissingRankIsNamedWhenTheDeadlinePasses) {
  const auto body = [&](Communicator& comm) {
    const Array data(backend(), DType::kFloat32, 5);
    comm.barrier()->wait();
    if (comm.rank() == last()) {
      return;  // the injected fault
    }
    const std::vector<std::string> told{"all_reduce(sum, float32 x 5)", "sequence=1",
                                        "missing=" + std::to_string(last())};
    const auto work = comm.all_reduce(data.buffer());
    expect_error(Errc::kRankLost, told, [&] { work->wait(); });
    EXPECT_TRUE(work->done());
    expect_error(Errc::kRankLost, told, [&] { comm.barrier()->wait(); });
  };
  // Long enough for ranks that are not missing to enter the barrier, on a busy machine too.
  run(body, std::chrono::milliseconds(500));
}

TEST_P(FaultConformance, AbortEndsWaitsOnAllRanksNowAndLater) {
  run([&](Communicator& comm) {
    const auto derived = comm.derive("derived");
    if (comm.rank() == last()) {
      comm.abort("disk full on rank 7");
    } else {
      const auto work = comm.barrier();
      expect_error(Errc::kCancelled, {"disk full on rank 7"}, [&] { work->wait(); });
      expect_error(Errc::kCancelled, {"disk full on rank 7"}, [&] { derived->barrier()->wait(); });
    }
    expect_error(Errc::kCancelled, {"disk full on rank 7"}, [&] { comm.barrier()->wait(); });
    expect_error(Errc::kCancelled, {"disk full on rank 7"}, [&] { (void)comm.derive("more"); });
  });
}

TEST_P(FaultConformance, CallsThatMakeNoSenseAreRefusedAtOnceAndLeaveTheOrderAsItWas) {
  run([&](Communicator& comm) {
    const auto ranks = static_cast<std::size_t>(num_ranks());
    const Array data(backend(), DType::kFloat32, 2 * num_ranks());
    const Array bytes(backend(), DType::kUInt8, 2 * num_ranks());
    const Counts twos(ranks, 2);
    const Counts few(ranks - 1, 2);
    Counts negative = twos;
    negative[0] = -2;
    const auto refuses = [](Errc code, auto call) {
      expect_error(code, {"rank="}, [&] { (void)call(); });
    };
    refuses(Errc::kShapeMismatch,
            [&] { return comm.all_gather(data.part(0, 1), data.buffer(), twos); });
    refuses(Errc::kShapeMismatch,
            [&] { return comm.all_gather(data.part(0, 2), data.part(0, 1), twos); });
    refuses(Errc::kShapeMismatch,
            [&] { return comm.all_gather(data.part(0, 2), data.buffer(), few); });
    refuses(Errc::kTypeMismatch,
            [&] { return comm.all_gather(bytes.part(0, 2), data.buffer(), twos); });
    refuses(Errc::kShapeMismatch,
            [&] { return comm.reduce_scatter(data.buffer(), data.part(0, 1), twos); });
    refuses(Errc::kShapeMismatch,
            [&] { return comm.all_to_all(data.buffer(), negative, data.buffer(), twos); });
    refuses(Errc::kShapeMismatch,
            [&] { return comm.all_to_all(data.buffer(), twos, data.buffer(), few); });
    refuses(Errc::kInvalidInput, [&] { return comm.broadcast(data.buffer(), num_ranks()); });
    refuses(Errc::kInvalidInput, [&] { return comm.broadcast(data.buffer(), -1); });
    refuses(Errc::kInvalidInput, [&] { return comm.all_reduce({nullptr, 3, DType::kFloat32}); });
    refuses(Errc::kShapeMismatch, [&] { return comm.all_reduce({nullptr, -3, DType::kFloat32}); });

    const Array sum(backend(), DType::kFloat32, contribution(21, comm.rank(), 6));
    comm.all_reduce(sum.buffer())->wait();
    EXPECT_EQ(sum.values(), reduced(ReduceOp::kSum, 21, num_ranks(), 6));
  });
}

}  // namespace askos::comm::conformance
