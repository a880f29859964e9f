// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/model/config.hpp>

namespace askos::model {

/// Raises a configuration's numbers of chunks to what the environment asks for, never lowers them:
///
///   mappers    ASKOS_NUM_CHUNKS_MAPPER, else ASKOS_NUM_CHUNKS
///   processor  ASKOS_NUM_CHUNKS_PROCESSOR, else ASKOS_NUM_CHUNKS; to the next divisor of the
///   layers
///
/// Where these are absent the reference's names count: ANEMOI_INFERENCE_NUM_CHUNKS_MAPPER and so
/// on. 1 changes nothing. Throws `Errc::kUsage`, naming the variable, on anything but a number
/// >= 1.
[[nodiscard]] ModelConfig with_environment_chunks(ModelConfig config);

}  // namespace askos::model
