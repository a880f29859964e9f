// SPDX-License-Identifier: Apache-2.0
// Starts `--ranks=N` processes that sum on GPUs without end, kills the last one, and expects the
// others to name it and to leave.
#include "comm/rank_processes.hpp"

#include <askos/comm/device_ranks.hpp>

#include <gmock/gmock.h>

#include <fstream>
#include <iostream>
#include <iterator>

namespace askos::comm {
namespace {

constexpr auto kLimit = std::chrono::seconds(10);
int num_ranks = 2;
std::vector<std::string> own_arguments;

std::filesystem::path report_of(const std::filesystem::path& folder, int rank) {
  return folder / ("report" + std::to_string(rank));
}

/// Waits for a value that a rank leaves; an empty text after a minute.
std::string wait_for(const std::filesystem::path& folder, const std::string& key) {
  return open_folder_rendezvous(folder / "meeting", 0, 1)
      ->get(key, std::chrono::minutes(1))
      .value_or("");
}

TEST(NcclLostRank, IsNamedAndAllOthersLeaveWithCodeFour) {
  RankProcesses ranks(num_ranks, own_arguments);
  ASSERT_EQ(wait_for(ranks.folder(), "under way"), "yes");
  ranks.kill(num_ranks - 1);
  const auto codes = ranks.wait(kLimit);
  EXPECT_EQ(codes.back(), 128 + SIGKILL);
  for (int rank = 0; rank + 1 < num_ranks; ++rank) {
    EXPECT_EQ(codes[static_cast<std::size_t>(rank)], 4) << "rank " << rank;
    std::ifstream file(report_of(ranks.folder(), rank));
    const std::string report{std::istreambuf_iterator<char>(file), {}};
    std::cout << "rank " << rank << ": " << report << '\n';
    EXPECT_THAT(report,
                ::testing::HasSubstr("a rank was lost: lost=" + std::to_string(num_ranks - 1)));
    EXPECT_THAT(report, ::testing::HasSubstr("collective='all_reduce(sum, float32 x 1048576)'"));
  }
}

/// Sums until that fails; leaves the reason in the test's folder.
int run_rank() {
  const auto place = RankPlace::take();
  try {
    const auto rendezvous =
        open_folder_rendezvous(place.folder / "meeting", place.rank, place.size);
    DeviceRanks ranks(rendezvous, place.device_options());
    (void)cudaSetDevice(place.device_options().device);
    const auto comm = ranks.make_communicator();
    constexpr std::int64_t kEntries = 1 << 20;
    void* memory = nullptr;
    if (cudaMalloc(&memory, kEntries * sizeof(float)) != cudaSuccess) {
      return 1;
    }
    for (int round = 0;; ++round) {
      comm->all_reduce({memory, kEntries, DType::kFloat32})->wait();
      if (round == 20 && place.rank == 0) {
        rendezvous->put("under way", "yes");
      }
    }
  } catch (const Error& error) {
    std::ofstream(report_of(place.folder, place.rank)) << error.what();
    return exit_code(error.code());
  }
}

}  // namespace

int main_of_all(int argc, char** argv) {
  if (RankPlace::is_given()) {
    return run_rank();
  }
  if (num_gpus() == 0) {
    std::cout << "skipped: no GPU\n";
    return kSkipped;
  }
  ::testing::InitGoogleTest(&argc, argv);
  own_arguments.assign(argv, argv + argc);
  num_ranks = take_num_ranks(own_arguments);
  return RUN_ALL_TESTS();
}

}  // namespace askos::comm

int main(int argc, char** argv) {
  return askos::comm::main_of_all(argc, argv);
}
