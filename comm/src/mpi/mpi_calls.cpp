// SPDX-License-Identifier: Apache-2.0
#include "mpi_calls.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace askos::comm {
namespace {

constexpr std::int64_t kMostBytes = 1 << 30;  // MPI counts in int

}  // namespace

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) {
    return;
  }
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw Error(Errc::kEnvironment, "MPI failed")
      .with("call", call)
      .with("reason", std::string_view(text.data(), static_cast<std::size_t>(length)));
}

void post_sends(const void* from,
                std::int64_t num_bytes,
                int to_rank,
                int tag,
                MPI_Comm comm,
                std::vector<MPI_Request>& requests) {
  const auto* bytes = static_cast<const std::byte*>(from);
  for (; num_bytes > 0; bytes += kMostBytes, num_bytes -= kMostBytes) {
    const auto size = static_cast<int>(std::min(num_bytes, kMostBytes));
    check_mpi(MPI_Isend(bytes, size, MPI_BYTE, to_rank, tag, comm,
                        &requests.emplace_back(MPI_REQUEST_NULL)),
              "MPI_Isend");
  }
}

void post_receives(void* to,
                   std::int64_t num_bytes,
                   int from_rank,
                   int tag,
                   MPI_Comm comm,
                   std::vector<MPI_Request>& requests) {
  auto* bytes = static_cast<std::byte*>(to);
  for (; num_bytes > 0; bytes += kMostBytes, num_bytes -= kMostBytes) {
    const auto size = static_cast<int>(std::min(num_bytes, kMostBytes));
    check_mpi(MPI_Irecv(bytes, size, MPI_BYTE, from_rank, tag, comm,
                        &requests.emplace_back(MPI_REQUEST_NULL)),
              "MPI_Irecv");
  }
}

}  // namespace askos::comm
