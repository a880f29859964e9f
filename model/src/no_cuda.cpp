// SPDX-License-Identifier: Apache-2.0
#include "attention_on_device.hpp"
#include "captured_work.hpp"
#include "device_name.hpp"
#include "layers_on_device.hpp"
#include "page_locked.hpp"

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

std::unique_ptr<comm::SlotAllocator> make_page_locked_allocator() {
  throw Error(Errc::kEnvironment, missing_for_cuda());
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

bool takes_normed(const at::Tensor& /*x*/, const at::Tensor& /*norm_bias*/) {
  return false;
}

at::Tensor normed_linear_on_device(const at::Tensor& x,
                                   const at::Tensor& /*norm_weight*/,
                                   const at::Tensor& /*norm_bias*/,
                                   const at::Tensor& /*weight*/,
                                   const at::Tensor& /*bias*/) {
  throw Error(Errc::kEnvironment, missing_for_cuda()).with("device", x.device().str());
}

bool takes_normed_mlp(const at::Tensor& /*z*/, const NormedMlp& /*mlp*/) {
  return false;
}

at::Tensor normed_mlp_on_device(const at::Tensor& z, const NormedMlp& /*mlp*/) {
  throw Error(Errc::kEnvironment, missing_for_cuda()).with("device", z.device().str());
}

}  // namespace askos::model
