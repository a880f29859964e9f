// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/io/byte_sink.hpp>
#include <askos/io/safetensors.hpp>
#include <askos/model/parameters.hpp>

#include <vector>

namespace askos::actors {

/// Writes tensors as safetensors, in the order of their names.
void write_tensors(io::ByteSink& sink, const model::NamedTensors& tensors);

/// Returns arrays as tensors that own their memory.
[[nodiscard]] model::NamedTensors to_tensors(const std::vector<io::NamedArray>& arrays);

}  // namespace askos::actors
