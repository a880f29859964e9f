// SPDX-License-Identifier: Apache-2.0
#include "fallback_note.hpp"

#include <askos/base/log.hpp>

#include <mutex>

namespace askos::model {

void note_attention_without_kernels(const char* dtype, int head_size, int num_features) {
  static std::once_flag said;
  std::call_once(said, [&] {
    logger("askos.model")
        ->info("attention without its CUDA kernels: dtype={} head_size={} features={}", dtype,
               head_size, num_features);
  });
}

}  // namespace askos::model
