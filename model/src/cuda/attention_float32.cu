// SPDX-License-Identifier: Apache-2.0
#include "launch.cuh"

namespace askos::model::cuda {

template cudaError_t launch_forward(const ForwardTables<float>&, bool, cudaStream_t);
template cudaError_t launch_backward_destinations(const BackwardTables<float>&, bool, cudaStream_t);
template cudaError_t launch_backward_sources(const BackwardTables<float>&, bool, cudaStream_t);

}  // namespace askos::model::cuda
