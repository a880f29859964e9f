// SPDX-License-Identifier: Apache-2.0
#include "launch.cuh"

namespace askos::model::cuda {

template cudaError_t launch_forward<float>(const ForwardTables<float>&, bool, cudaStream_t);
template cudaError_t launch_backward<float>(const BackwardTables<float>&, bool, cudaStream_t);

}  // namespace askos::model::cuda
