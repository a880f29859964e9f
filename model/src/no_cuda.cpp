// SPDX-License-Identifier: Apache-2.0
#include "attention_on_device.hpp"
#include "captured_work.hpp"
#include "device_name.hpp"
#include "layers_on_device.hpp"

#include <askos/base/error.hpp>

namespace askos::model {

std::string missing_for_cuda() {
  return "this build has no CUDA (preset gpu has)";
}

std::string cuda_device_name() {
  return {};
}

struct CapturedWork::Parts {};
CapturedWork::CapturedWork() = default;
CapturedWork::~CapturedWork() = default;
void CapturedWork::run(const std::function<void()>& work) {
  work();
}

at::Tensor attention_on_device(const AttentionInput& input, const EdgeIndex& /*index*/) {
  throw Error(Errc::kEnvironment, missing_for_cuda()).with("device", input.query.device().str());
}

at::Tensor joined_attention_on_device(const JoinedAttentionInput& input,
                                      const EdgeIndex& /*index*/) {
  throw Error(Errc::kEnvironment, missing_for_cuda())
      .with("device", input.destinations.device().str());
}

at::Tensor linear_on_device(const at::Tensor& x,
                            const at::Tensor& /*weight*/,
                            const at::Tensor& /*bias*/) {
  throw Error(Errc::kEnvironment, missing_for_cuda()).with("device", x.device().str());
}

at::Tensor layer_norm_on_device(const at::Tensor& x,
                                const at::Tensor& /*weight*/,
                                const at::Tensor& /*bias*/) {
  throw Error(Errc::kEnvironment, missing_for_cuda()).with("device", x.device().str());
}

}  // namespace askos::model
