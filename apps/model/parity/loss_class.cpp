// SPDX-License-Identifier: Apache-2.0
#include "parity/loss_class.hpp"

#include "parity/json_object.hpp"

namespace askos::apps {

model::LossOptions read_loss_class(const JsonObject& json, const JsonObject& arguments) {
  using Kind = model::ErrorKind;
  const auto name = json.get<std::string>("class");
  model::LossOptions options;
  options.root = name == "RMSELoss";
  options.error = json.choose<Kind>("class", {{"MSELoss", Kind::kSquared},
                                              {"RMSELoss", Kind::kSquared},
                                              {"WeightedMSELoss", Kind::kSquared},
                                              {"MAELoss", Kind::kAbsolute},
                                              {"LogCoshLoss", Kind::kLogCosh},
                                              {"HuberLoss", Kind::kHuber},
                                              {"KernelCRPS", Kind::kCrps},
                                              {"AlmostFairKernelCRPS", Kind::kCrps},
                                              {"CRPS", Kind::kCrps}});
  if (options.error == Kind::kHuber) options.huber_delta = arguments.get<double>("delta", 1);
  if (options.error == Kind::kCrps) {
    // Older releases had two classes: one fair or not, one in between.
    const double otherwise = name == "CRPS" ? 0.95 : 1;
    options.crps_alpha =
        arguments.get<double>("alpha", arguments.get<bool>("fair", true) ? otherwise : 0);
  }
  return options;
}

}  // namespace askos::apps
