// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/byte_sink.hpp>
#include <askos/model/parameters.hpp>

#include <cstddef>
#include <span>

namespace askos::actors {

/// Writes tensors as safetensors, in the order of their names.
void write_tensors(io::ByteSink& sink, const model::NamedTensors& tensors);

/// Reads what `write_tensors` wrote; the tensors own their memory.
[[nodiscard]] model::NamedTensors read_tensors(std::span<const std::byte> bytes);

}  // namespace askos::actors
