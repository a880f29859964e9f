// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/shape.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace askos::io {

/// One strip: `count` float32 values of one variable that follow each other in the file.
struct Strip {
  const float* from = nullptr;
  std::int64_t count = 0;
  float scale = 1;
  float offset = -0.0F;    ///< adding it changes no value, not even -0
  double exact_scale = 1;  ///< used for float64
  double exact_offset = -0.0;
};

/// Writes `from[i] * scale + offset`, cast to `dtype`, to entry `i * stride` behind `to`, and
/// returns how many source values are NaN or infinite. `dtype` is float32, float64 or bfloat16
/// (rounded to nearest even). Uses AVX2 and FMA where the processor has them; without FMA the
/// product is rounded before the sum.
[[nodiscard]] std::int64_t transform_strip(const Strip& strip,
                                           DType dtype,
                                           std::byte* to,
                                           std::int64_t stride);

/// Transforms eight strips of one length to float32 side by side: entry `i` of strip `k` goes to
/// `to[i * stride + k]`. Returns how many source values of all eight are NaN or infinite; gives the
/// same bits as eight calls of `transform_strip`.
[[nodiscard]] std::int64_t transform_eight_strips(const std::array<Strip, 8>& strips,
                                                  float* to,
                                                  std::int64_t stride);

/// `transform_strip` without vector instructions of its own, for tests.
[[nodiscard]] std::int64_t transform_strip_portable(const Strip& strip,
                                                    DType dtype,
                                                    std::byte* to,
                                                    std::int64_t stride);

[[nodiscard]] bool can_transform(DType dtype) noexcept;

}  // namespace askos::io
