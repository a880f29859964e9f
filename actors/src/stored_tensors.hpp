// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/shape.hpp>
#include <askos/dataflow/stored_arrays.hpp>

#include <ATen/core/Tensor.h>

#include <string>

namespace askos::actors {

/// Returns a tensor's dtype. Throws `Errc::kTypeMismatch` for one that askos has no name for.
[[nodiscard]] DType dtype_of(const at::Tensor& tensor);

/// Copies a tensor of any device and layout; waits for it on the calling thread.
[[nodiscard]] dataflow::StoredArray stored_tensor(std::string name, const at::Tensor& tensor);

/// Makes the tensor again, on the host, without gaps.
[[nodiscard]] at::Tensor tensor_of(const dataflow::StoredArray& array);

}  // namespace askos::actors
