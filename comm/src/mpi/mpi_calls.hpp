// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace askos::comm {

/// Throws `Errc::kEnvironment` with MPI's own text unless `code` is success.
void check_mpi(int code, const char* call);

/// Posts sends or receives of `num_bytes` bytes, in pieces that MPI can count, and appends their
/// requests. Nothing is posted for no bytes.
void post_sends(const void* from,
                std::int64_t num_bytes,
                int to_rank,
                int tag,
                MPI_Comm comm,
                std::vector<MPI_Request>& requests);
void post_receives(void* to,
                   std::int64_t num_bytes,
                   int from_rank,
                   int tag,
                   MPI_Comm comm,
                   std::vector<MPI_Request>& requests);

}  // namespace askos::comm
