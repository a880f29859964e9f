// SPDX-License-Identifier: Apache-2.0
// Times halo exchanges between processes beside a plain MPI program's with the same messages: each
// rank sends so many bytes to both neighbours of a ring. Run it under mpirun; both take turns, and
// what arrives is checked before it is timed.
#include <askos/base/clock.hpp>
#include <askos/base/error.hpp>
#include <askos/comm/communicator.hpp>
#include <askos/comm/processes.hpp>

#include <mpi.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace askos;        // NOLINT(google-build-using-namespace): a program of its own
using namespace askos::comm;  // NOLINT(google-build-using-namespace)

constexpr int kNumBatches = 21;

/// One rank's halo: `num_bytes` to and from each neighbour.
struct Halo {
  std::vector<int> neighbours;
  std::vector<std::int64_t> counts;  ///< by rank
  std::vector<unsigned char> sent;
  std::vector<unsigned char> received;

  Halo(int rank, int size, std::int64_t num_bytes) : counts(static_cast<std::size_t>(size), 0) {
    for (const int other : {(rank + size - 1) % size, (rank + 1) % size}) {
      counts[static_cast<std::size_t>(other)] = other == rank ? 0 : num_bytes;
    }
    std::int64_t total = 0;
    for (int other = 0; other < size; ++other) {
      const auto count = counts[static_cast<std::size_t>(other)];
      if (count > 0) neighbours.push_back(other);
      total += count;
    }
    sent.assign(static_cast<std::size_t>(total), static_cast<unsigned char>(rank + 1));
    received.assign(sent.size(), 0);
  }

  /// Throws unless what arrived is the neighbours'; forgets it.
  void check(std::int64_t num_bytes) {
    for (std::size_t i = 0; i < received.size(); ++i) {
      const auto from = neighbours[i / static_cast<std::size_t>(num_bytes)];
      if (received[i] != static_cast<unsigned char>(from + 1)) {
        throw Error(Errc::kCheckFailed, "a halo arrived wrong").with("byte", i).with("from", from);
      }
    }
    std::fill(received.begin(), received.end(), static_cast<unsigned char>(0));
  }
};

void exchange_by_askos(Communicator& ranks, Halo& halo) {
  const auto count = static_cast<std::int64_t>(halo.sent.size());
  ranks
      .all_to_all({halo.sent.data(), count, DType::kUInt8}, halo.counts,
                  {halo.received.data(), count, DType::kUInt8}, halo.counts)
      ->wait();
}

void exchange_by_mpi(MPI_Comm comm, Halo& halo, std::int64_t num_bytes) {
  std::vector<MPI_Request> requests(2 * halo.neighbours.size());
  const int count = static_cast<int>(num_bytes);
  for (std::size_t n = 0; n < halo.neighbours.size(); ++n) {
    const auto offset = n * static_cast<std::size_t>(num_bytes);
    MPI_Irecv(halo.received.data() + offset, count, MPI_BYTE, halo.neighbours[n], 0, comm,
              &requests[2 * n]);
    MPI_Isend(halo.sent.data() + offset, count, MPI_BYTE, halo.neighbours[n], 0, comm,
              &requests[2 * n + 1]);
  }
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
}

template <typename Call>
double microseconds_per_call(int num_calls, Call call) {
  const auto start = steady_clock().now();
  for (int i = 0; i < num_calls; ++i) call();
  return std::chrono::duration<double, std::micro>(steady_clock().now() - start).count() /
         num_calls;
}

double median(std::vector<double> samples) {
  std::nth_element(samples.begin(), samples.begin() + kNumBatches / 2, samples.end());
  return samples[kNumBatches / 2];
}

nlohmann::json time_size(Communicator& ranks, MPI_Comm comm, std::int64_t num_bytes) {
  Halo halo(ranks.rank(), ranks.size(), num_bytes);
  exchange_by_askos(ranks, halo);
  halo.check(num_bytes);
  exchange_by_mpi(comm, halo, num_bytes);
  halo.check(num_bytes);
  const int num_calls = static_cast<int>(std::clamp<std::int64_t>((4 << 20) / num_bytes, 4, 1000));
  std::vector<double> ours;
  std::vector<double> plain;
  for (int batch = -1; batch < kNumBatches; ++batch) {
    ranks.barrier()->wait();
    const auto one = microseconds_per_call(num_calls, [&] { exchange_by_askos(ranks, halo); });
    MPI_Barrier(comm);
    const auto other =
        microseconds_per_call(num_calls, [&] { exchange_by_mpi(comm, halo, num_bytes); });
    if (batch >= 0) {
      ours.push_back(one);
      plain.push_back(other);
    }
  }
  return {{"bytes", num_bytes},
          {"askos_us", median(ours)},
          {"mpi_us", median(plain)},
          {"ratio", median(ours) / median(plain)}};
}

std::string load() {
  std::string text;
  std::getline(std::ifstream("/proc/loadavg"), text);
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = argc == 2 && std::strcmp(argv[1], "--json") == 0;
  if (Processes::num_launched() < 2 || (argc > 1 && !json)) {
    std::fprintf(stderr, "usage: mpirun -n 2 %s [--json]\n", argv[0]);
    return exit_code(Errc::kUsage);
  }
  try {
    Processes processes;
    const auto ranks = processes.make_communicator();
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    nlohmann::json result{{"ranks", ranks->size()},
                          {"cores", std::thread::hardware_concurrency()},
                          {"load", load()},
                          {"sizes", nlohmann::json::array()}};
    for (std::int64_t num_bytes = 1024; num_bytes <= (4 << 20); num_bytes *= 4) {
      result["sizes"].push_back(time_size(*ranks, comm, num_bytes));
    }
    MPI_Comm_free(&comm);
    if (!processes.is_root()) {
      return 0;
    }
    if (json) {
      std::cout << result.dump(2) << "\n";
      return 0;
    }
    std::printf("%d ranks, %d cores, load %s\n%12s %12s %12s %7s\n", ranks->size(),
                result["cores"].get<int>(), result["load"].get<std::string>().c_str(), "bytes/pair",
                "askos us", "plain us", "ratio");
    for (const auto& row : result["sizes"]) {
      std::printf("%12ld %12.2f %12.2f %7.2f\n", row["bytes"].get<long>(),
                  row["askos_us"].get<double>(), row["mpi_us"].get<double>(),
                  row["ratio"].get<double>());
    }
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "mpi_halo_bench: %s\n", error.what());
    return exit_code(error.code());
  }
}
