// SPDX-License-Identifier: Apache-2.0
#include "launch.cuh"

namespace askos::model::cuda {

template cudaError_t launch_forward<__half>(const ForwardTables<__half>&, bool, cudaStream_t);
template cudaError_t launch_backward<__half>(const BackwardTables<__half>&, bool, cudaStream_t);

}  // namespace askos::model::cuda
