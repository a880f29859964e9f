// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/telemetry/trace.hpp>

#include <filesystem>
#include <iosfwd>
#include <vector>

namespace askos::telemetry {

/// Writes a trace in Perfetto's protobuf format: a process per rank, a thread per stage, flow
/// arrows along each edge for each sample and between ranks for each collective. The packets are
/// deflated in blocks, which Perfetto reads as it is.
void write_perfetto(const Trace& trace, std::ostream& out);

/// Writes one rank of a trace as PyTorch's profiler (Kineto) does, for HolisticTraceAnalysis: what
/// a stage computes is a kernel on the stream of that stage, a collective one named
/// `nccl…Kernel_all_reduce`, by which that tool knows communication, whatever the backend.
/// Operators are what they are there, `cpu_op`.
void write_kineto(const Trace& trace, int rank, std::ostream& out);

/// Writes a trace by the extension of `path`: `.pftrace` for Perfetto; `.json` for Kineto, with
/// several ranks one file each, `name.rank0.json`, …. Returns what was written. Whole files appear
/// or none. Throws `Errc::kUsage` for another extension, `Errc::kEnvironment` if it cannot write.
std::vector<std::filesystem::path> write_trace(const Trace& trace,
                                               const std::filesystem::path& path);

/// Throws `Errc::kUsage` where `write_trace` would for its extension; so before a run, not after.
void check_trace_path(const std::filesystem::path& path);

}  // namespace askos::telemetry
